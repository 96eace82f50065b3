using System.Text.Json;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Resources;
using EdgeVirt.Hub.Scheduling;
using EdgeVirt.Hub.Tunnels;
using Google.Protobuf;

namespace EdgeVirt.Hub.Api;

/// <summary>One line of a workload's log. The last one of a stream that broke off carries the fields of an <see cref="ApiError"/>.</summary>
internal sealed record LogEntry(
    DateTimeOffset? Time, string? Stream, string? Text, bool? Partial, string? Code = null, string? Message = null, string? Hint = null)
{
    /// <summary>It is no line: lines may be missing before the next.</summary>
    public bool? Missing { get; init; }
}

/// <summary>What to read, from the query.</summary>
internal sealed record LogQuery
{
    public string? Node { get; init; }

    public string? Container { get; init; }

    public bool? Follow { get; init; }

    public long? Tail { get; init; }

    public DateTimeOffset? Since { get; init; }

    public bool? Previous { get; init; }
}

/// <summary>Logs of containers, straight from the node.</summary>
internal static class LogEndpoints
{
    private static readonly TimeSpan QuietStart = TimeSpan.FromSeconds(1);

    public static void MapLogs(this IEndpointRouteBuilder api) => api.MapGet("/workloads/{name}/logs", ReadAsync)
        .WithTags(ResourceKind.Workload.Name)
        .WithSummary("Read a workload's log")
        .WithDescription(
            "NDJSON, one {time, stream, text, partial} per line. node: which node, needed where several run it. container: which one, needed where " +
            "there are several. {time, missing: true}: lines may be missing here. follow=true goes on as lines come. tail: lines from the end. since: a time. previous=true: of the run before this one.")
        .Produces(200, contentType: WatchStream.ContentType)
        .Produces<ApiError>(400)
        .Produces<ApiError>(404)
        .Produces<ApiError>(503);

    private static async Task<IResult> ReadAsync(
        string name, [AsParameters] LogQuery query, HttpContext context, ResourceStore store, NodeChannels channels, TimeProvider time)
    {
        var stopping = context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        var (node, status, error) = await PlacedNodes.FindAsync(store, PlacedKind.Workload, name, query.Node, ending.Token);
        if (node is null)
        {
            return ApiErrors.Error(status, error!);
        }

        return await StreamAsync(context, channels, node, RequestOf(name, query), time, ending.Token);
    }

    private static OpenChannel RequestOf(string workload, LogQuery query) => new()
    {
        Window = NodeChannel.Window,
        Logs = new LogsRequest
        {
            Workload = workload,
            Container = query.Container ?? "",
            Follow = query.Follow ?? false,
            Tail = query.Tail ?? -1,
            SinceUnixMs = query.Since?.ToUnixTimeMilliseconds() ?? 0,
            Previous = query.Previous ?? false,
        },
    };

    private static async Task<IResult> StreamAsync(
        HttpContext context, NodeChannels channels, string node, OpenChannel request, TimeProvider time, CancellationToken ct)
    {
        try
        {
            await using var channel = await channels.OpenAsync(node, request, ct);
            await using var lines = LogLineReader.ReadAsync(channel.ReadAllAsync(ct), ct).GetAsyncEnumerator(ct);
            var next = lines.MoveNextAsync().AsTask();
            await Task.WhenAny(next, Task.Delay(QuietStart, time, ct));
            if (next.IsCompletedSuccessfully && !await next && ErrorOf(channel.Closed) is { } early)
            {
                return ApiErrors.Error(early.Status, early.Error);
            }

            context.Response.ContentType = WatchStream.ContentType;
            await context.Response.StartAsync(ct);
            await context.Response.Body.FlushAsync(ct);
            for (; await next; next = lines.MoveNextAsync().AsTask())
            {
                await SendAsync(context, EntryOf(lines.Current), ct);
            }

            if (ErrorOf(channel.Closed) is { } late)
            {
                await SendAsync(context, EntryOf(late.Error), ct);
            }
        }
        catch (Exception e) when (e is NodeUnreachableException or InvalidDataException or InvalidProtocolBufferException)
        {
            var error = new ApiError { Code = "Unavailable", Message = e.Message, Hint = $"edgevirt describe node {node} says when it was last heard of." };
            if (!context.Response.HasStarted)
            {
                return ApiErrors.Error(StatusCodes.Status503ServiceUnavailable, error);
            }

            await SendAsync(context, EntryOf(error), ct);
        }
        catch (OperationCanceledException)
        {
            // The reader has gone, or the hub stops.
        }

        return TypedResults.Empty;
    }

    private static (int Status, ApiError Error)? ErrorOf(CloseChannel? close) => close?.Reason switch
    {
        null or CloseReason.Done => null,
        CloseReason.NotFound => (StatusCodes.Status404NotFound, new ApiError { Code = "NotFound", Message = close.Message }),
        CloseReason.Invalid => (StatusCodes.Status400BadRequest, new ApiError { Code = "Invalid", Message = close.Message }),
        _ => (StatusCodes.Status503ServiceUnavailable, new ApiError { Code = "Unavailable", Message = close.Message }),
    };

    private static LogEntry EntryOf(LogLine line)
    {
        var time = DateTimeOffset.UnixEpoch.AddTicks(line.TimeUnixNs / TimeSpan.NanosecondsPerTick);
        return line.Missing
            ? new(time, null, null, null) { Missing = true }
            : new(time, line.Stderr ? "stderr" : "stdout", line.Text.ToStringUtf8(), line.Partial);
    }

    private static LogEntry EntryOf(ApiError error) => new(null, null, null, null, error.Code, error.Message, error.Hint);

    private static async Task SendAsync(HttpContext context, LogEntry entry, CancellationToken ct)
    {
        await context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(entry, HubJson.Default.LogEntry), ct);
        await context.Response.Body.WriteAsync("\n"u8.ToArray(), ct);
        await context.Response.Body.FlushAsync(ct);
    }
}
