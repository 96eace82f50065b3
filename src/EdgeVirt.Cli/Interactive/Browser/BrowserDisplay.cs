using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using EdgeVirt.Cli.Commands;

namespace EdgeVirt.Cli.Interactive.Browser;

/// <summary>Serves one page with a machine's display to a browser on this machine, and carries what it shows.</summary>
/// <param name="invocation">Is told what goes wrong with one page and is no reason to stop.</param>
/// <param name="machine">Its name, for the page.</param>
/// <param name="gate">Who may.</param>
/// <param name="openAsync">Opens a channel to the display; true: take it over from whoever has it.</param>
internal sealed class BrowserDisplay(Invocation invocation, string machine, BrowserGate gate, Func<bool, CancellationToken, Task<ClientChannel>> openAsync) : IDisposable
{
    private const int MostConnections = 64;
    private const string DisplayPath = "/display/";
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(10);

    // So long a node may take to notice that the page before has gone.
    private static readonly TimeSpan StillOurs = TimeSpan.FromSeconds(5);

    private readonly BrowserPages pages = BrowserPages.Load();
    private readonly SemaphoreSlim turn = new(1, 1);
    private readonly TaskCompletionSource lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private BrowserView? newest;
    private long? leftAt;

    private TimeProvider Time => invocation.Terminal.Time;

    /// <summary>Serves until cancelled, or until somebody takes the display over.</summary>
    /// <exception cref="CliException">Who has it now.</exception>
    public async Task ServeAsync(TcpListener listener, CancellationToken ct)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var room = new SemaphoreSlim(MostConnections);
        List<Task> connections = [];
        var accepting = AcceptAsync(listener, room, connections, ending.Token);
        try
        {
            await await Task.WhenAny(accepting, lost.Task);
        }
        finally
        {
            await ending.CancelAsync();
            await accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await Task.WhenAll(connections).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public void Dispose() => turn.Dispose();

    private async Task AcceptAsync(TcpListener listener, SemaphoreSlim room, List<Task> connections, CancellationToken ct)
    {
        while (true)
        {
            await room.WaitAsync(ct);
            var socket = await listener.AcceptSocketAsync(ct);
            connections.RemoveAll(connection => connection.IsCompleted);
            connections.Add(ServeAsync(socket, room, ct));
        }
    }

    private async Task ServeAsync(Socket socket, SemaphoreSlim room, CancellationToken ct)
    {
        socket.NoDelay = true;
        await using var stream = new NetworkStream(socket, ownsSocket: true);
        try
        {
            await Task.Yield();
            using var limit = new CancellationTokenSource(RequestTimeout, Time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, ct);
            BrowserRequest? request;
            try
            {
                request = await BrowserRequest.ReadAsync(stream, either.Token);
            }
            catch (InvalidDataException fault)
            {
                await BrowserAnswer.SayAsync(stream, "400 Bad Request", fault.Message, either.Token);
                return;
            }

            if (request is not null)
            {
                await AnswerAsync(stream, request, either.Token, ct);
            }
        }
        catch (Exception fault) when (fault is IOException or SocketException or WebSocketException or OperationCanceledException)
        {
            // The browser has gone, or we go.
        }
        finally
        {
            room.Release();
        }
    }

    private async Task AnswerAsync(Stream stream, BrowserRequest request, CancellationToken soon, CancellationToken ct)
    {
        var host = request["Host"];
        if (!gate.IsOurs(host))
        {
            await BrowserAnswer.SayAsync(stream, "421 Misdirected Request", "edgevirt serves this page under the address that it printed, and under no other name or port.", soon);
        }
        else if (request.Path.StartsWith(DisplayPath, StringComparison.Ordinal))
        {
            if (!gate.IsOurPage(host, request["Origin"]) || !gate.IsSession(request.Path[DisplayPath.Length..]))
            {
                await BrowserAnswer.SayAsync(stream, "403 Forbidden", "Only the page that edgevirt itself served may show the display.", soon);
            }
            else if (!BrowserAnswer.IsUpgrade(request))
            {
                await BrowserAnswer.SayAsync(stream, "426 Upgrade Required", "The display is a WebSocket.", soon);
            }
            else
            {
                using var socket = await BrowserAnswer.UpgradeAsync(stream, request, soon);
                await ShowAsync(new BrowserView(socket, Time), ct);
            }
        }
        else if ((request.Method, request.Path) is ("POST", "/session"))
        {
            if (!gate.IsOurPage(host, request["Origin"]) || gate.Redeem(request.Body) is not { } session)
            {
                await BrowserAnswer.SayAsync(stream, "403 Forbidden", "This address is not good, or was used already.", soon);
                return;
            }

            await BrowserAnswer.SendAsync(stream, "200 OK", "text/plain; charset=utf-8", Encoding.UTF8.GetBytes($"{session}\n{machine}"), host, soon);
        }
        else if (request.Method == "GET" && pages.Find(request.Path) is var (type, content))
        {
            await BrowserAnswer.SendAsync(stream, "200 OK", type, content, host, soon);
        }
        else
        {
            await BrowserAnswer.SayAsync(stream, "404 Not Found", "There is no such page.", soon);
        }
    }

    // The newest page has the display; the one before is told so, and lets go of it first.
    private async Task ShowAsync(BrowserView view, CancellationToken ct)
    {
        Interlocked.Exchange(ref newest, view)?.Displace();
        await turn.WaitAsync(ct);
        try
        {
            var isStillOurs = leftAt is { } left && Time.GetElapsedTime(left) < StillOurs;
            await using var channel = await openAsync(isStillOurs, ct);
            await view.CarryAsync(channel, ct);
        }
        catch (CliException fault)
        {
            await view.CloseAsync(fault.Message);
            if (fault.ExitCode == ExitCodes.Conflict)
            {
                // A page would come again and again, against whoever has it now.
                lost.TrySetException(fault);
            }
            else
            {
                invocation.Note($"the display of {machine}: {fault.Message}");
            }
        }
        finally
        {
            leftAt = Time.GetTimestamp();
            turn.Release();
        }
    }
}
