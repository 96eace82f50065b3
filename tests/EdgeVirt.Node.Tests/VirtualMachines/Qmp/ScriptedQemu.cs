using System.Net.Sockets;
using System.Text;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Qmp;

/// <summary>Listens where a QEMU would, and says what the test wants it to say.</summary>
internal sealed class ScriptedQemu : IDisposable
{
    public const string Greeting = """{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian"}, "capabilities": ["oob"]}}""";

    private readonly TempDirectory directory = new();
    private readonly Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly CancellationTokenSource limit = new(TimeSpan.FromSeconds(20));
    private readonly Task serving;

    /// <summary>Serves one connection by <paramref name="script"/>, then closes it.</summary>
    public ScriptedQemu(Func<ScriptedQemu, Task> script)
    {
        listener.Bind(new UnixDomainSocketEndPoint(SocketPath));
        listener.Listen(1);
        serving = ServeAsync(script);
    }

    public string SocketPath => directory.Combine("qmp");

    public NetworkStream Stream { get; private set; } = null!;

    public StreamReader Lines { get; private set; } = null!;

    public CancellationToken Token => limit.Token;

    /// <summary>Greets and agrees to capabilities.</summary>
    public async Task BeginAsync()
    {
        await SayAsync(Greeting);
        Assert.That(await HearAsync(), Is.EqualTo("""{"execute":"qmp_capabilities","id":1}"""));
        await SayAsync("""{"return": {}, "id": 1}""");
    }

    public Task SayAsync(string line) => Stream.WriteAsync(Encoding.UTF8.GetBytes(line + "\r\n"), Token).AsTask();

    public async Task<string?> HearAsync() => await Lines.ReadLineAsync(Token);

    /// <summary>Says nothing and stays until the other end goes.</summary>
    public async Task HangAsync()
    {
        while (await HearAsync() is not null)
        {
        }
    }

    /// <summary>Fails where the script failed.</summary>
    public Task EndAsync() => serving;

    public void Dispose()
    {
        limit.Cancel();
        serving.ContinueWith(_ => { }, TaskScheduler.Default).Wait(TimeSpan.FromSeconds(5));
        listener.Dispose();
        limit.Dispose();
        directory.Dispose();
    }

    private async Task ServeAsync(Func<ScriptedQemu, Task> script)
    {
        using var socket = await listener.AcceptAsync(Token);
        Stream = new NetworkStream(socket, ownsSocket: true);
        Lines = new StreamReader(Stream);
        await script(this);
        await Stream.DisposeAsync();
    }
}
