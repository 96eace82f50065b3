using System.Net.WebSockets;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Hub.Access;
using EdgeVirt.Hub.Audit;
using EdgeVirt.Hub.Resources;
using EdgeVirt.Hub.Scheduling;
using EdgeVirt.Hub.Tunnels;

namespace EdgeVirt.Hub.Api;

/// <summary>What people do in running containers and with what nodes keep, over a WebSocket that carries the frames of tunnel.proto.</summary>
internal static class ChannelEndpoints
{
    private const int MostCommandLength = 200;
    private static readonly TimeSpan PingAfter = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(15);

    private static readonly ChannelRoute[] Routes =
    [
        new("exec", OpenChannel.VerbOneofCase.Exec, "Run a program in a running container",
            "The first frame opens with an ExecRequest; data frames carry StreamMessages.",
            (open, name) => open.Exec.Workload = name,
            open => $"{ContainerOf(open.Exec.Container)}{Shorten(string.Join(' ', open.Exec.Command))}"),
        new("attach", OpenChannel.VerbOneofCase.Attach, "Attach to the main program of a running container",
            "The first frame opens with an AttachRequest; data frames carry StreamMessages.",
            (open, name) => open.Attach.Workload = name,
            open => $"{ContainerOf(open.Attach.Container)}{(open.Attach.Stdin ? "with input" : "output alone")}"),
        new("copy", OpenChannel.VerbOneofCase.Copy, "Copy files into or out of a running container",
            "The first frame opens with a CopyRequest; data frames carry StreamMessages with a tar, in the direction of the copy.",
            (open, name) => open.Copy.Workload = name,
            open => $"{ContainerOf(open.Copy.Container)}{(open.Copy.ToContainer ? "to" : "from")} {Shorten(open.Copy.Path)}"),
        new("portforward", OpenChannel.VerbOneofCase.PortForward, "Connect to a port of a workload",
            "The first frame opens with a PortForwardRequest: one TCP connection. Connections to the same port are audited once a minute.",
            (open, name) => open.PortForward.Workload = name,
            open => $"port {open.PortForward.Port}")
        {
            IsFrequent = true,
        },
        .. MachineRoutes.All,
        .. VolumeRoutes.All,
        .. SnapshotRoutes.All,
    ];

    /// <summary>WebSockets. A caller whose network vanished says nothing: only a ping finds out, and ends what it had begun.</summary>
    public static IApplicationBuilder UseChannels(this IApplicationBuilder app) =>
        app.UseWebSockets(new WebSocketOptions { KeepAliveInterval = PingAfter, KeepAliveTimeout = PingTimeout });

    public static void MapChannels(this IEndpointRouteBuilder api)
    {
        foreach (var route in Routes)
        {
            api.MapGet($"/{route.Kind.Plural}/{{name}}/{route.Path}", (string name, string? node, HttpContext context) => ServeAsync(route, name, node, context))
                .WithMetadata(route.IsReading ? [] : [new NeedsWrite()])
                .WithTags(route.Kind.Name)
                .WithSummary(route.Summary)
                .WithDescription(
                    "A WebSocket: each binary message is a TunnelFrame of EdgeVirt's tunnel.proto, on one channel. " + route.Description +
                    " Both sides send no more data than the other's window frames allow. The hub's last frame closes the channel and says why. " +
                    (PlacedKind.Find(route.Kind.Name) is not null ? "node: which node, needed where several run it. " : "") + (route.IsReading ? "" : "A read-only token is refused. ") +
                    "Who did what where is put on the audit log; what was typed is not.")
                .Produces(StatusCodes.Status101SwitchingProtocols)
                .Produces<ApiError>(400)
                .Produces<ApiError>(403);
        }
    }

    private static async Task<IResult> ServeAsync(ChannelRoute route, string name, string? node, HttpContext context)
    {
        if (!context.WebSockets.IsWebSocketRequest)
        {
            return ApiErrors.Invalid("This is a WebSocket.", $"Use edgevirt {route.Path}, or a WebSocket client with the frames of tunnel.proto.");
        }

        var stopping = context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        using var caller = new WebSocketFrames(socket);
        uint id = 0;
        CloseChannel? close;
        var reading = Task.CompletedTask;
        try
        {
            if (await caller.ReadAsync(ending.Token) is not { KindCase: TunnelFrame.KindOneofCase.Open } first || first.Open.VerbCase != route.Verb)
            {
                throw new InvalidDataException($"The first frame has to open a channel for {route.Path}.");
            }

            id = first.Channel;
            route.SetName(first.Open, name);
            close = await RelayAsync(route, name, node, first, caller, context, started => reading = started, ending.Token);
        }
        catch (InvalidDataException e)
        {
            close = new CloseChannel { Reason = CloseReason.Invalid, Message = e.Message };
        }
        catch (NodeUnreachableException e)
        {
            close = new CloseChannel { Reason = CloseReason.Unavailable, Message = e.Message };
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // The caller has gone, or the hub stops.
            close = stopping.IsCancellationRequested ? new CloseChannel { Reason = CloseReason.Unavailable, Message = "The hub is stopping; try again in a moment." } : null;
        }

        await EndAsync(caller, socket, id, close, reading, context.RequestAborted);
        return TypedResults.Empty;
    }

    private static async Task<CloseChannel?> RelayAsync(
        ChannelRoute route, string name, string? wanted, TunnelFrame first, WebSocketFrames caller, HttpContext context, Action<Task> started, CancellationToken ct)
    {
        var audit = context.RequestServices.GetRequiredService<AuditLog>();
        var (actor, action) = (BearerAuthentication.TokenOf(context).Name, $"{route.Path} {route.Kind.Name}/{name}");
        var (node, status, error) = await route.FindNodeAsync(context.RequestServices.GetRequiredService<ResourceStore>(), name, wanted, ct);
        if (node is null)
        {
            await audit.WriteAsync(actor, action, ok: false, error!.Message, CancellationToken.None);
            return new CloseChannel
            {
                Reason = status == StatusCodes.Status404NotFound ? CloseReason.NotFound : CloseReason.Invalid,
                Message = error.Hint is null ? error.Message : $"{error.Message} {error.Hint}",
            };
        }

        first.Open.Caller = actor;

        // Written before anything happens, so that nothing can happen that is not on the log.
        var what = $"on node {node}: {route.Describe(first.Open)}";
        if (!route.IsFrequent || context.RequestServices.GetRequiredService<AuditThrottle>().IsDue($"{actor} {action} {what}"))
        {
            await audit.WriteAsync(actor, action, ok: true, what, CancellationToken.None);
        }

        try
        {
            await using var channel = await context.RequestServices.GetRequiredService<NodeChannels>().OpenAsync(node, first.Open, ct);
            var relay = new ChannelRelay(caller, channel, first.Channel, first.Open.Window);
            var running = relay.RunAsync(ct);
            started(relay.Reading);
            var close = await running;
            if (close is not null and not { Reason: CloseReason.Done } && !route.IsFrequent)
            {
                await audit.WriteAsync(actor, action, ok: false, $"node {node}: {close.Message}", CancellationToken.None);
            }

            return close;
        }
        catch (NodeUnreachableException e)
        {
            await audit.WriteAsync(actor, action, ok: false, e.Message, CancellationToken.None);
            throw;
        }
    }

    private static async Task EndAsync(WebSocketFrames caller, WebSocket socket, uint id, CloseChannel? close, Task reading, CancellationToken ct)
    {
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
            limit.CancelAfter(PingTimeout);
            if (close is not null && socket.State == WebSocketState.Open)
            {
                await caller.WriteAsync(new TunnelFrame { Channel = id, Close = close }, limit.Token);
            }

            await caller.CloseAsync(WebSocketCloseStatus.NormalClosure, "", limit.Token);
            await reading.WaitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

            // Bytes that were not read would make the connection end with a reset, and the last word be lost.
            await caller.DrainAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            // It does not even take the word of the end.
        }

        // Ends the reading, if the caller does not.
        socket.Abort();
        await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static string ContainerOf(string container) => container.Length == 0 ? "" : $"container {container}: ";

    private static string Shorten(string text) => text.Length <= MostCommandLength ? text : text[..MostCommandLength] + "…";
}
