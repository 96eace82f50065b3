using System.Text.Json;
using System.Text.Json.Nodes;

namespace EdgeVirt.Testing;

/// <summary>
/// The published agent in a namespace of a <see cref="TestNetwork"/>. It can be killed and started again with the same
/// data; its containers end with this object, not with the agent.
/// </summary>
public sealed class RealNode : IAsyncDisposable
{
    private readonly TempDirectory directory = new();
    private ChildProcess? process;

    /// <summary>A node that does not run yet.</summary>
    /// <param name="place">Where it is on the network.</param>
    /// <param name="name">The name it asks for.</param>
    public RealNode(TestNamespace place, string name)
    {
        Place = place;
        Name = name;
        directory.Subdirectory("data");
        directory.Subdirectory("run");
        // As the way to a node's data is everywhere: users of machines come to their disks.
        File.SetUnixFileMode(directory.Path, File.GetUnixFileMode(directory.Path) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
    }

    /// <summary>Where it is on the network.</summary>
    public TestNamespace Place { get; }

    /// <summary>The name it asks for.</summary>
    public string Name { get; }

    /// <summary>What it keeps.</summary>
    public string DataDirectory => directory.Combine("data");

    /// <summary>What a reboot would lose.</summary>
    public string RunDirectory => directory.Combine("run");

    /// <summary>Its output, over all its runs.</summary>
    public string LogFile => directory.Combine("agent.log");

    /// <summary>Process id of the running agent.</summary>
    public int ProcessId => process?.Id ?? throw new InvalidOperationException("The agent is stopped.");

    /// <summary>Milliseconds that the newest start took, by the agent's own mark.</summary>
    public string ReadyMark => File.ReadAllText(Path.Combine(RunDirectory, "ready")).Trim();

    /// <summary>Writes its configuration file; names as in the agent's documentation.</summary>
    /// <param name="hub">The hub to enroll at; null: none.</param>
    /// <param name="claimToken">Text of a claim token; null: none.</param>
    /// <param name="registries">Base address by the host that image references name.</param>
    /// <param name="change">Further settings, e.g. <c>c => c["heartbeatSeconds"] = 1</c>.</param>
    public void Configure(
        RealHub? hub = null, string? claimToken = null, IReadOnlyDictionary<string, Uri>? registries = null, Action<JsonObject>? change = null)
    {
        var configuration = new JsonObject
        {
            ["dataDir"] = DataDirectory,
            ["runDir"] = RunDirectory,
            ["nodeName"] = Name,
            ["registries"] = new JsonObject((registries ?? new Dictionary<string, Uri>())
                .Select(entry => KeyValuePair.Create<string, JsonNode?>(entry.Key, new JsonObject { ["url"] = entry.Value.ToString() }))),
        };
        if (hub is not null)
        {
            configuration["hub"] = hub.NodeAddress;
        }

        if (claimToken is not null)
        {
            var file = directory.Combine("claim.token");
            File.WriteAllText(file, claimToken);
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            configuration["claimTokenFile"] = file;
        }

        change?.Invoke(configuration);
        File.WriteAllText(directory.Combine("agent.json"), configuration.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
    }

    /// <summary>Starts the agent and waits until it has read its store and looked at everything once.</summary>
    public async Task StartAsync(TimeSpan? timeout = null)
    {
        Launch();
        await WaitReadyAsync(timeout ?? TimeSpan.FromSeconds(30));
    }

    /// <summary>Starts the agent and does not wait.</summary>
    public void Launch()
    {
        if (process is not null)
        {
            throw new InvalidOperationException("The agent runs already.");
        }

        if (!File.Exists(directory.Combine("agent.json")))
        {
            Configure();
        }

        File.Delete(Path.Combine(RunDirectory, "ready"));
        process = ChildProcess.Start(PublishedBinaries.Agent, ["--config", directory.Combine("agent.json")], LogFile, Place.Name);
    }

    /// <summary>Waits for the agent's ready mark.</summary>
    public Task WaitReadyAsync(TimeSpan timeout) =>
        (process ?? throw new InvalidOperationException("The agent is stopped."))
            .WaitUntilAsync("ready", () => Task.FromResult(File.Exists(Path.Combine(RunDirectory, "ready"))), timeout);

    /// <summary>SIGKILL. Its containers go on.</summary>
    public async Task KillAsync()
    {
        if (process is { } running)
        {
            process = null;
            await running.DisposeAsync();
        }
    }

    /// <summary>SIGTERM, and waits until it has ended in good order. Its containers go on.</summary>
    /// <returns>The agent's exit code.</returns>
    public async Task<int> StopAsync()
    {
        var exitCode = process is { } running ? await running.TerminateAsync(TimeSpan.FromSeconds(30)) : 0;
        await KillAsync();
        return exitCode;
    }

    /// <summary>
    /// What a power cut does to the board: agent, monitors and containers end, mounts and the run directory are gone, the
    /// data directory stays as it lies.
    /// </summary>
    public async Task CutPowerAsync()
    {
        await KillAsync();
        NodeRemains.Remove([], [DataDirectory, RunDirectory]);
        Command.Run("rm", "-rf", "--one-file-system", RunDirectory);
        directory.Subdirectory("run");
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        NodeRemains.Remove([], [DataDirectory, RunDirectory]);
        directory.Dispose();
    }
}
