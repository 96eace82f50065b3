using System.Net.Sockets;
using System.Text;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.GuestAgents;

/// <summary>Listens where QEMU would give the channel.</summary>
internal sealed class FakeGuest : IDisposable
{
    private readonly TempDirectory directory = new();
    private readonly Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly CancellationTokenSource limit = new(TimeSpan.FromSeconds(20));
    private readonly Task serving;
    private NetworkStream stream = null!;

    public FakeGuest(Func<FakeGuest, Task> script)
    {
        listener.Bind(new UnixDomainSocketEndPoint(Path));
        listener.Listen(1);
        serving = ServeAsync(script);
    }

    public string Path => directory.Combine("qga");

    public async Task<int> SyncIdAsync()
    {
        var line = (await HearAsync())!;
        return int.Parse(line[(line.LastIndexOf(':') + 1)..].TrimEnd('}'), null);
    }

    public async Task AgreeAsync() => await SayAsync(0xFF, $"{{\"return\": {await SyncIdAsync()}}}\n");

    public async Task SayAsync(params IReadOnlyList<object> parts)
    {
        foreach (var part in parts)
        {
            await stream.WriteAsync(part is int single ? [(byte)single] : Encoding.UTF8.GetBytes((string)part), limit.Token);
        }
    }

    public async Task<string?> HearAsync()
    {
        List<byte> line = [];
        var one = new byte[1];
        while (await stream.ReadAsync(one, limit.Token) == 1 && one[0] != '\n')
        {
            if (one[0] != 0xFF)
            {
                line.Add(one[0]);
            }
        }

        return line.Count == 0 ? null : Encoding.UTF8.GetString([.. line]);
    }

    public async Task HangAsync()
    {
        while (await HearAsync() is not null)
        {
        }
    }

    public Task EndAsync() => serving;

    public void Dispose()
    {
        limit.Cancel();
        listener.Dispose();
        serving.ContinueWith(_ => { }, TaskScheduler.Default).Wait(TimeSpan.FromSeconds(5));
        limit.Dispose();
        directory.Dispose();
    }

    private async Task ServeAsync(Func<FakeGuest, Task> script)
    {
        using var socket = await listener.AcceptAsync(limit.Token);
        await using (stream = new NetworkStream(socket))
        {
            await script(this);
        }
    }
}
