using System.Net.Sockets;
using System.Text;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Control;
using EdgeVirt.Node.Tests.Hub;
using Google.Protobuf;

namespace EdgeVirt.Node.Tests.Containers.Interactive;

/// <summary>One channel on a control socket, with windows kept by hand so that a test can hold them back.</summary>
internal sealed class TestChannel : IAsyncDisposable
{
    private readonly NetworkStream stream;
    private readonly SocketFrames frames;
    private readonly SendWindow allowed = new();
    private readonly SemaphoreSlim turn = new(1, 1);
    private readonly Task reading;

    private TestChannel(NetworkStream stream, SocketFrames frames) => (this.stream, this.frames, reading) = (stream, frames, Task.Run(() => ReadAsync(frames)));

    /// <summary>Whether what comes is allowed again at once.</summary>
    public bool Grants { get; set; } = true;

    public long Received { get; private set; }

    public string Out => Text(message => message.KindCase == StreamMessage.KindOneofCase.Data ? message.Data : null);

    public string Error => Text(message => message.KindCase == StreamMessage.KindOneofCase.Error ? message.Error : null);

    public List<StreamMessage> Messages { get; } = [];

    public CloseChannel? Closed { get; private set; }

    public static async Task<TestChannel> OpenAsync(string path, OpenChannel open)
    {
        var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await client.ConnectAsync(new UnixDomainSocketEndPoint(path));
        var stream = new NetworkStream(client, ownsSocket: true);
        var frames = new SocketFrames(stream);
        open.Window = 256 << 10;
        await frames.WriteAsync(new TunnelFrame { Channel = 1, Open = open }, default);
        return new TestChannel(stream, frames);
    }

    public Task SendAsync(string text) => SendAsync(new StreamMessage { Data = ByteString.CopyFromUtf8(text) });

    public async Task SendAsync(StreamMessage message)
    {
        for (var bytes = StreamMessages.ToBytes(message); !bytes.IsEmpty;)
        {
            var size = await allowed.TakeAsync(Math.Min(bytes.Length, 32 << 10), Eventually.Token());
            await WriteAsync(new TunnelFrame { Channel = 1, Data = ByteString.CopyFrom(bytes.Span[..size]) });
            bytes = bytes[size..];
        }
    }

    public async Task WriteAsync(TunnelFrame frame)
    {
        await turn.WaitAsync();
        try
        {
            await frames.WriteAsync(frame, default);
        }
        catch (IOException)
        {
            // The agent closed the channel meanwhile.
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Waits until the channel is closed, and gives the exit code if one came.</summary>
    public async Task<int?> EndAsync()
    {
        await reading.WaitAsync(TimeSpan.FromSeconds(30));
        lock (Messages)
        {
            return Messages.LastOrDefault() is { KindCase: StreamMessage.KindOneofCase.ExitCode } last ? (int)last.ExitCode : null;
        }
    }

    public async Task UntilAsync(Func<TestChannel, bool> holds) => await Eventually.HoldsAsync(() => holds(this), $"what was waited for; out: '{Out}', error: '{Error}', close: {Closed}");

    public async ValueTask DisposeAsync()
    {
        await stream.DisposeAsync();
        await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        turn.Dispose();
    }

    private async Task ReadAsync(SocketFrames from)
    {
        await foreach (var message in StreamMessages.ReadAsync(DataAsync(from), default))
        {
            lock (Messages)
            {
                Messages.Add(message);
            }
        }
    }

    private async IAsyncEnumerable<ReadOnlyMemory<byte>> DataAsync(SocketFrames from)
    {
        while (await from.ReadAsync(default) is { } frame)
        {
            switch (frame.KindCase)
            {
                case TunnelFrame.KindOneofCase.Window:
                    allowed.Allow(frame.Window);
                    break;
                case TunnelFrame.KindOneofCase.Close:
                    Closed = frame.Close;
                    yield break;
                case TunnelFrame.KindOneofCase.Data:
                    Received += frame.Data.Length;
                    if (Grants)
                    {
                        await WriteAsync(new TunnelFrame { Channel = 1, Window = (uint)frame.Data.Length });
                    }

                    yield return frame.Data.Memory;
                    break;
            }
        }
    }

    private string Text(Func<StreamMessage, ByteString?> part)
    {
        lock (Messages)
        {
            return Encoding.UTF8.GetString([.. Messages.Select(part).Where(bytes => bytes is not null).SelectMany(bytes => bytes!.ToByteArray())]);
        }
    }
}
