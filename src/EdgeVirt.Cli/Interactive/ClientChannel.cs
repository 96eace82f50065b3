using System.Runtime.CompilerServices;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Cli.Interactive;

/// <summary>
/// A channel to a node, seen from the CLI: messages both ways, each side within the other's window. Disposing it tells the
/// node that nobody is here any more.
/// </summary>
internal sealed class ClientChannel : IAsyncDisposable
{
    private const uint Id = 1;
    private const int Window = 256 << 10;
    private const int MostFrameBytes = 32 << 10;
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(1);

    private readonly IFrameTransport transport;
    private readonly SemaphoreSlim turn = new(1, 1);
    private readonly SendWindow allowed = new();
    private readonly ReceiveWindow received;
    private readonly StreamMessageWriter writer;
    private readonly CancellationTokenSource ending = new();
    private bool isClosed;
    private Task reading = Task.CompletedTask;

    private ClientChannel(IFrameTransport transport)
    {
        this.transport = transport;
        received = new ReceiveWindow(Window, isGranted: true, (bytes, ct) => WriteAsync(new TunnelFrame { Channel = Id, Window = bytes }, ct));
        writer = new StreamMessageWriter(SendDataAsync);
    }

    /// <summary>Opens a channel; whether it is refused shows when it is read. Takes the transport over.</summary>
    public static async Task<ClientChannel> OpenAsync(IFrameTransport transport, OpenChannel open, CancellationToken ct)
    {
        var channel = new ClientChannel(transport);
        open.Window = Window;
        await channel.WriteAsync(new TunnelFrame { Channel = Id, Open = open }, ct);
        channel.reading = channel.ReadFramesAsync();
        return channel;
    }

    /// <summary>Sends a message, waiting where the other side has not kept up.</summary>
    public Task SendAsync(StreamMessage message, CancellationToken ct) => writer.WriteAsync(message, ct);

    /// <summary>Sends what a stream gives, and then that it has ended.</summary>
    public async Task SendAllAsync(Stream source, CancellationToken ct)
    {
        await writer.CopyFromAsync(source, data => new StreamMessage { Data = data }, ct);
        await writer.WriteAsync(new StreamMessage { End = true }, ct);
    }

    /// <summary>The other side's messages, until it closes the channel.</summary>
    /// <exception cref="CliException">It closed for another reason than being done, or is gone.</exception>
    public async IAsyncEnumerable<StreamMessage> ReadAllAsync([EnumeratorCancellation] CancellationToken ct)
    {
        await using var messages = StreamMessages.ReadAsync(received.ReadAllAsync(ct), ct).GetAsyncEnumerator(ct);
        while (await NextAsync())
        {
            yield return messages.Current;
        }

        async Task<bool> NextAsync()
        {
            try
            {
                return await messages.MoveNextAsync();
            }
            catch (InvalidDataException fault)
            {
                throw ChannelFaults.Broken(fault.Message);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!isClosed)
        {
            using var limit = new CancellationTokenSource(Farewell);
            try
            {
                await WriteAsync(new TunnelFrame { Channel = Id, Close = new CloseChannel { Reason = CloseReason.Done } }, limit.Token);
            }
            catch (OperationCanceledException)
            {
                // It notices when the connection ends.
            }
        }

        await ending.CancelAsync();
        transport.Dispose();
        await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ending.Dispose();
    }

    private async Task ReadFramesAsync()
    {
        try
        {
            while (await transport.ReadAsync(ending.Token) is { } frame)
            {
                switch (frame.KindCase)
                {
                    case TunnelFrame.KindOneofCase.Data when !received.TryTake(frame.Data.Memory):
                        throw new InvalidDataException("it sent more than it may");
                    case TunnelFrame.KindOneofCase.Window:
                        allowed.Allow(frame.Window);
                        break;
                    case TunnelFrame.KindOneofCase.Close:
                        isClosed = true;
                        received.Complete(ChannelFaults.Of(frame.Close));
                        return;
                }
            }

            received.Complete(ChannelFaults.Broken("it hung up"));
        }
        catch (Exception fault) when (fault is IOException or InvalidDataException or ObjectDisposedException)
        {
            received.Complete(ChannelFaults.Broken(fault.Message));
        }
        catch (OperationCanceledException)
        {
            received.Complete(ChannelFaults.Broken("it was left"));
        }
    }

    private async Task SendDataAsync(ReadOnlyMemory<byte> data, CancellationToken ct)
    {
        while (!data.IsEmpty)
        {
            var size = await allowed.TakeAsync(Math.Min(data.Length, MostFrameBytes), ct);
            await WriteAsync(new TunnelFrame { Channel = Id, Data = ByteString.CopyFrom(data.Span[..size]) }, ct);
            data = data[size..];
        }
    }

    private async Task WriteAsync(TunnelFrame frame, CancellationToken ct)
    {
        await turn.WaitAsync(ct);
        try
        {
            await transport.WriteAsync(frame, ct);
        }
        finally
        {
            turn.Release();
        }
    }
}
