using System.Globalization;
using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace EdgeVirt.Testing;

/// <summary>The published hub as a child of the test. It can be killed and started again with the same data.</summary>
public sealed class RealHub : IAsyncDisposable
{
    private readonly TempDirectory directory = new();
    private readonly IPAddress address;
    private ChildProcess? process;
    private HubApi? api;

    private RealHub(IPAddress address) => this.address = address;

    /// <summary>Port of the REST API.</summary>
    public int ApiPort { get; } = 8443;

    /// <summary>Port that agents are told.</summary>
    public int NodePort { get; } = 8444;

    /// <summary>Port of the broker.</summary>
    public int MqttPort { get; } = 8883;

    /// <summary>Base address of the REST API.</summary>
    public Uri ApiAddress => new(string.Create(CultureInfo.InvariantCulture, $"https://{address}:{ApiPort}"));

    /// <summary>host:port as agents are told.</summary>
    public string NodeAddress => string.Create(CultureInfo.InvariantCulture, $"{address}:{NodePort}");

    /// <summary>All that the hub keeps.</summary>
    public string DataDirectory => directory.Combine("data");

    /// <summary>Its output.</summary>
    public string LogFile => directory.Combine("hub.log");

    /// <summary>PEM file of the authority.</summary>
    public string AuthorityFile => Path.Combine(DataDirectory, "pki", "ca.crt");

    /// <summary>The admin credential.</summary>
    public string AdminToken => File.ReadAllText(Path.Combine(DataDirectory, "admin.token")).Trim();

    /// <summary>The API, as admin. Survives restarts.</summary>
    public HubApi Api => api ??= new HubApi(ApiAddress, X509CertificateLoader.LoadCertificateFromFile(AuthorityFile), AdminToken);

    /// <summary>Process id of the running hub.</summary>
    public int ProcessId => process?.Id ?? throw new InvalidOperationException("The hub is stopped.");

    /// <summary>Starts a hub without data and waits until its API answers.</summary>
    /// <param name="address">Where it listens: <see cref="TestNetwork.HostAddress"/>.</param>
    public static async Task<RealHub> StartAsync(IPAddress address)
    {
        var hub = new RealHub(address);
        try
        {
            await hub.StartAsync();
            return hub;
        }
        catch
        {
            await hub.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts it again after <see cref="KillAsync"/> or <see cref="StopAsync"/>.</summary>
    public async Task StartAsync()
    {
        if (process is not null)
        {
            throw new InvalidOperationException("The hub runs already.");
        }

        process = ChildProcess.Start(
            PublishedBinaries.Hub,
            [
                "--data-dir", DataDirectory, "--listen", address.ToString(), "--advertise", address.ToString(),
                "--api-port", ApiPort.ToString(CultureInfo.InvariantCulture),
                "--node-port", NodePort.ToString(CultureInfo.InvariantCulture),
                "--mqtt-port", MqttPort.ToString(CultureInfo.InvariantCulture),
            ],
            LogFile);
        await process.WaitUntilAsync("ready", AnswersAsync, TimeSpan.FromSeconds(30));
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        if (process is { } running)
        {
            process = null;
            await running.DisposeAsync();
        }
    }

    /// <summary>SIGTERM, and waits until it has ended in good order.</summary>
    public async Task StopAsync()
    {
        if (process is { } running)
        {
            await running.TerminateAsync(TimeSpan.FromSeconds(30));
            await KillAsync();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        api?.Dispose();
        directory.Dispose();
    }

    private async Task<bool> AnswersAsync()
    {
        try
        {
            if (!File.Exists(AuthorityFile) || !File.Exists(Path.Combine(DataDirectory, "admin.token")))
            {
                return false;
            }

            using var answer = await Api.Client.GetAsync(new Uri("/api/v1/version", UriKind.Relative));
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
