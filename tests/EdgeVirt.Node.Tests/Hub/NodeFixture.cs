using EdgeVirt.Node.Boards;
using EdgeVirt.Node.Control;
using EdgeVirt.Node.Hub;
using EdgeVirt.Node.State;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Tests.Hub;

/// <summary>The agent's links to a hub, wired as in the program, on a data directory of its own.</summary>
internal sealed class NodeFixture : IAsyncDisposable
{
    private readonly string directory;
    private readonly bool ownsDirectory;
    private readonly ServiceProvider services;
    private bool started;

    public NodeFixture(FakeHub? hub = null, string? claimToken = null, string? directory = null)
    {
        ownsDirectory = directory is null;
        this.directory = directory ?? Directory.CreateTempSubdirectory("edgevirt-hub-").FullName;
        TokenFile = Path.Combine(this.directory, "token");
        if (claimToken is not null)
        {
            File.WriteAllText(TokenFile, claimToken + "\n");
        }

        var options = new NodeOptions
        {
            DataDir = Path.Combine(this.directory, "data"),
            RunDir = Path.Combine(this.directory, "run"),
            Hub = hub?.Address,
            ClaimTokenFile = TokenFile,
            HeartbeatSeconds = 1,
        };
        Directory.CreateDirectory(options.DataDir);
        services = Wire(options);
    }

    /// <summary>With these options; whose directories they name looks after them.</summary>
    public NodeFixture(NodeOptions options)
    {
        directory = options.DataDir;
        TokenFile = options.ClaimTokenFile ?? "";
        services = Wire(options);
    }

    public string TokenFile { get; }

    /// <summary>How often the board was restarted.</summary>
    public int Restarts { get; private set; }

    public string DirectoryPath => directory;

    public CapturedLog Log { get; } = new();

    public NodeOptions Options => Get<NodeOptions>();

    public IdentityFiles Identities => Get<IdentityFiles>();

    public NodeConditions Conditions => Get<NodeConditions>();

    public NodeStore Store => Get<NodeStore>();

    public T Get<T>()
        where T : notnull => services.GetRequiredService<T>();

    private ServiceProvider Wire(NodeOptions options) => new ServiceCollection()
        .AddLogging(logging => logging.AddProvider(Log))
        .AddSingleton(options).AddSingleton(TimeProvider.System)
        .AddState().AddControl().AddHubLink().AddOnBoard()
        .AddSingleton(new BoardTree(Path.Combine(directory, "root")))
        .AddSingleton<RestartSystem>(_ =>
        {
            Restarts++;
            return Task.CompletedTask;
        })
        .AddSingleton<NodeConditions>().AddSingleton<NodeFacts>().AddSingleton<NodeStatusSource>().AddBoard()
        .BuildServiceProvider();

    public async Task StartAsync()
    {
        started = true;
        foreach (var service in services.GetServices<IHostedService>())
        {
            await service.StartAsync(default);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (started)
        {
            foreach (var service in services.GetServices<IHostedService>().Reverse())
            {
                await service.StopAsync(default);
            }
        }

        await services.DisposeAsync();
        if (ownsDirectory)
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}

internal sealed class CapturedLog : ILoggerProvider, ILogger
{
    private readonly List<string> lines = [];

    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (lines)
            {
                return [.. lines];
            }
        }
    }

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (lines)
        {
            lines.Add($"{formatter(state, exception)} {exception}");
        }
    }

    public void Dispose()
    {
    }
}

internal static class Eventually
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Waits until a condition holds.</summary>
    public static async Task HoldsAsync(Func<bool> condition, string what)
    {
        for (var i = 0; i < Patience.TotalMilliseconds / 20; i++)
        {
            if (condition())
            {
                return;
            }

            await Task.Delay(20);
        }

        Assert.Fail($"did not come: {what}");
    }

    public static CancellationToken Token() => new CancellationTokenSource(Patience).Token;
}
