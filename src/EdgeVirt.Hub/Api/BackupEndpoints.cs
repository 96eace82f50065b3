using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Access;
using EdgeVirt.Hub.Audit;
using EdgeVirt.Hub.Backups;
using EdgeVirt.Hub.Resources;

namespace EdgeVirt.Hub.Api;

/// <summary>Backups of nodes' volumes that the hub keeps.</summary>
internal static class BackupEndpoints
{
    public static void MapBackups(this IEndpointRouteBuilder api)
    {
        var kept = api.MapGroup("/volumebackups").WithTags("Backups");
        kept.MapGet("/", async (VolumeBackups backups, CancellationToken ct, string? node = null, string? volume = null) =>
                TypedResults.Ok(new VolumeBackupList { Items = await backups.ListAsync(node, volume, ct) }))
            .WithSummary("List backups of volumes, newest first")
            .WithDescription("node, volume: of these only.")
            .Produces<VolumeBackupList>();
        kept.MapDelete("/{id}", DeleteAsync).WithSummary("Delete a backup").Produces(204).Produces<ApiError>(404);

        var volumes = api.MapGroup("/nodes/{name}/volumes/{volume}").WithTags("Backups");
        volumes.MapPost("/backups", BackUpAsync)
            .WithSummary("Back up a persistent volume of a node to the hub")
            .WithDescription("NDJSON, a line each second: {bytes}. The last one has isDone and the backup, or code, message and hint. Ends when the caller leaves.")
            .Produces<VolumeTransfer>(200, TransferAnswer.ContentType)
            .Produces<ApiError>(404)
            .Produces<ApiError>(409)
            .Produces<ApiError>(503);
        volumes.MapPost("/restore", RestoreAsync)
            .WithSummary("Give a persistent volume of a node the content of a backup")
            .WithDescription("backup: its id; it may be from another node. sizeBytes: of a volume that is not there yet. Answers as a backup does. All or nothing.")
            .Produces<VolumeTransfer>(200, TransferAnswer.ContentType)
            .Produces<ApiError>(400)
            .Produces<ApiError>(404)
            .Produces<ApiError>(503);
    }

    private static async Task<IResult> DeleteAsync(string id, HttpContext context, VolumeBackups backups) =>
        await backups.DeleteAsync(id, connection => ChangeAudit.Put(context, connection, $"backup {id} deleted"), context.RequestAborted)
            ? TypedResults.NoContent()
            : ApiErrors.NotFound($"The backup '{id}'", "edgevirt volume backups list shows what there is.");

    private static async Task<IResult> BackUpAsync(string name, string volume, HttpContext context, ResourceStore store, VolumeTransfers transfers)
    {
        if (await store.GetAsync(ResourceKind.Node, name, context.RequestAborted) is null)
        {
            return UnknownNode(name);
        }

        return await TransferAnswer.StreamAsync(context, name, (progress, ct) => transfers.BackUpAsync(
            name, volume, progress, (connection, backup) => ChangeAudit.Put(context, connection, $"volume {volume} of node {name} is backup {backup.Id}"), ct));
    }

    private static async Task<IResult> RestoreAsync(
        string name, string volume, string backup, HttpContext context, ResourceStore store, VolumeBackups backups, VolumeTransfers transfers, long sizeBytes = 0)
    {
        if (await store.GetAsync(ResourceKind.Node, name, context.RequestAborted) is null)
        {
            return UnknownNode(name);
        }

        if (sizeBytes < 0)
        {
            return ApiErrors.Invalid($"sizeBytes must not be negative, is {sizeBytes}.");
        }

        if (await backups.FindAsync(backup, context.RequestAborted) is not { } found)
        {
            return ApiErrors.NotFound($"The backup '{backup}'", "edgevirt volume backups list shows what there is.");
        }

        // Written before anything happens, so that nothing can happen that is not on the log.
        var what = $"volume {volume} of node {name} from backup {found.Id} of volume {found.Volume} of node {found.Node}";
        var actor = BearerAuthentication.TokenOf(context).Name;
        await context.RequestServices.GetRequiredService<AuditLog>().WriteAsync(actor, "restore", ok: true, $"begins: {what}", CancellationToken.None);
        ChangeAudit.Note(context, what);
        return await TransferAnswer.StreamAsync(context, name, async (progress, ct) =>
        {
            await transfers.RestoreAsync(name, volume, sizeBytes, found, progress, ct);
            return found;
        });
    }

    private static IResult UnknownNode(string name) => ApiErrors.NotFound($"Node/{name}", "edgevirt get nodes lists what there is.");
}
