using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Resources;

namespace EdgeVirt.Hub.Api;

/// <summary>A watch as NDJSON: one <see cref="WatchEvent"/> per line, each sent at once.</summary>
internal static class WatchStream
{
    public const string ContentType = "application/x-ndjson";

    public static async Task<IResult> OpenAsync(
        HttpContext context, ResourceStore store, ResourceKind kind, long? fromVersion, IReadOnlyDictionary<string, string>? labels)
    {
        var stopping = context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        var ct = ending.Token;
        IReadOnlyList<Resource> present = [];
        if (fromVersion is null)
        {
            var list = await store.ListAsync(kind, ct);
            (present, fromVersion) = (list.Items, list.ResourceVersion);
        }
        else
        {
            // A version that is too old is an answer of its own, as long as nothing was sent yet.
            await store.ReadChangesAsync(kind, fromVersion.Value, 1, ct);
        }

        context.Response.ContentType = ContentType;
        try
        {
            await context.Response.StartAsync(ct);
            foreach (var resource in present.Where(resource => Labels.Match(labels, resource.Metadata.Labels)))
            {
                await SendAsync(context, new WatchEvent
                {
                    Type = WatchEventType.Added,
                    ResourceVersion = resource.Metadata.ResourceVersion ?? 0,
                    Resource = resource,
                });
            }

            await context.Response.Body.FlushAsync(ct);
            await foreach (var one in store.WatchAsync(kind, fromVersion.Value, labels, ct))
            {
                await SendAsync(context, one);
                await context.Response.Body.FlushAsync(ct);
            }
        }
        catch (Exception e) when (e is GoneException or OperationCanceledException)
        {
            // The stream ends; the watcher comes back and is told how things are.
        }

        return TypedResults.Empty;
    }

    private static async Task SendAsync(HttpContext context, WatchEvent one)
    {
        await context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(one, ContractsJson.Default.WatchEvent), context.RequestAborted);
        await context.Response.Body.WriteAsync("\n"u8.ToArray(), context.RequestAborted);
    }
}
