using System.Net.WebSockets;
using System.Text;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Interactive.Browser;

/// <summary>A page that shows the display, and the channel that it is shown through.</summary>
/// <param name="socket">To the page.</param>
/// <param name="time">Measures the waits.</param>
internal sealed class BrowserView(WebSocket socket, TimeProvider time)
{
    /// <summary>Of the closing of a WebSocket, for us to give meaning: there is a reason to read.</summary>
    public const WebSocketCloseStatus Told = (WebSocketCloseStatus)4000;

    private const int MostReasonBytes = 123;
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(1);

    private readonly TaskCompletionSource displaced = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Has the page told that it is open elsewhere, and ends.</summary>
    public void Displace() => displaced.TrySetResult();

    /// <summary>Carries until the page leaves, the display ends or another page takes this one's place; says in the page why.</summary>
    /// <exception cref="CliException">The display ended for another reason than being done.</exception>
    public async Task CarryAsync(ClientChannel channel, CancellationToken ct)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        await using var stream = WebSocketStream.Create(socket, WebSocketMessageType.Binary);
        var outgoing = channel.SendAllAsync(stream, over.Token);
        var incoming = ToPageAsync(channel, over.Token);
        try
        {
            var first = await Task.WhenAny(incoming, outgoing, displaced.Task);
            if (first == outgoing)
            {
                // The page has left; the node closes the channel once it has let go of the display.
                await outgoing;
                first = await Task.WhenAny(incoming, displaced.Task);
            }

            await first;
            await CloseAsync(first == incoming ? "the machine ended its display" : "its page was opened once more, elsewhere", outgoing);
        }
        catch (CliException fault)
        {
            await CloseAsync(fault.Message, outgoing);
            throw;
        }
        finally
        {
            await over.CancelAsync();
            await outgoing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await incoming.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Closes with a reason that the page shows.</summary>
    /// <param name="reason">For people.</param>
    /// <param name="reading">Ends when the page has closed, too: until then it may not have read the reason.</param>
    public async Task CloseAsync(string reason, Task? reading = null)
    {
        if (socket.State is not (WebSocketState.Open or WebSocketState.CloseReceived))
        {
            return;
        }

        using var limit = new CancellationTokenSource(Farewell, time);
        try
        {
            await (reading is null ? socket.CloseAsync(Told, Short(reason), limit.Token) : socket.CloseOutputAsync(Told, Short(reason), limit.Token));
            await (reading ?? Task.CompletedTask).WaitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        catch (Exception fault) when (fault is WebSocketException or IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The page is gone.
        }
    }

    private async Task ToPageAsync(ClientChannel channel, CancellationToken ct)
    {
        await foreach (var message in channel.ReadAllAsync(ct))
        {
            if (message.KindCase == StreamMessage.KindOneofCase.Data)
            {
                await socket.SendAsync(message.Data.Memory, WebSocketMessageType.Binary, endOfMessage: true, ct);
            }
        }
    }

    private static string Short(string reason)
    {
        while (Encoding.UTF8.GetByteCount(reason) > MostReasonBytes)
        {
            reason = reason[..^2] + "…";
        }

        return reason;
    }
}
