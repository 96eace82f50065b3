using System.CommandLine;
using System.Globalization;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Interactive;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;

namespace EdgeVirt.Cli.Commands;

/// <summary>Backups of volumes that the hub keeps. They travel between node and hub; this side only looks on.</summary>
internal static class HubBackups
{
    private const string Latest = "latest";
    private const string All = "/api/v1/volumebackups";

    private static readonly Argument<string> Id = new("id") { Description = "As 'edgevirt volume backups list' shows it" };
    private static readonly Option<string?> OfVolume = new("--volume") { Description = "Only of this volume", HelpName = "name" };
    private static readonly Option<string?> OfNode = new("--node", "-n") { Description = "Only of this node", HelpName = "name" };

    public static Option<bool> AtHub { get; } = new("--hub") { Description = "Keep the backup at the hub" };

    public static Option<string?> Backup { get; } = new("--backup")
    {
        Description = $"A backup that the hub keeps, also of another node; '{Latest}': the newest of this volume and node", HelpName = "id",
    };

    public static Command Create(Terminal terminal)
    {
        var list = new Command("list", "Shows the backups of volumes that the hub keeps, newest first") { OfNode, OfVolume };
        list.Does(terminal, ListAsync);
        var delete = new Command("delete", "Deletes a backup that the hub keeps") { Id };
        delete.Does(terminal, DeleteAsync);
        return new Command("backups", "Backups of volumes at the hub") { list, delete };
    }

    /// <summary>Has the hub take a backup of a node's volume.</summary>
    public static async Task<int> BackUpAsync(Invocation invocation, string volume, CancellationToken ct)
    {
        var node = NodeOf(invocation);
        var done = await FollowAsync(invocation, "received", $"{VolumePath(node, volume)}/backups", ct);
        var backup = done.Backup!;
        invocation.Say($"Volume '{volume}' of node '{node}' is backup {backup.Id} at the hub, {Description.Bytes(backup.SizeBytes)}.");
        return ExitCodes.Ok;
    }

    /// <summary>Has the hub give a node's volume the content of a backup.</summary>
    public static async Task<int> RestoreAsync(Invocation invocation, string volume, string id, long sizeBytes, CancellationToken ct)
    {
        var node = NodeOf(invocation);
        id = id == Latest ? await NewestAsync(invocation, node, volume, ct) : id;
        var path = HubPaths.Query($"{VolumePath(node, volume)}/restore", ("backup", id), ("sizeBytes", sizeBytes.ToString(CultureInfo.InvariantCulture)));
        await FollowAsync(invocation, "sent", path, ct);
        invocation.Say($"Volume '{volume}' of node '{node}' is restored from backup {id}.");
        return ExitCodes.Ok;
    }

    private static async Task<int> ListAsync(Invocation invocation, CancellationToken ct)
    {
        var backups = await FindAsync(invocation, invocation.Get(OfNode), invocation.Get(OfVolume), ct);
        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, backups, ContractsJson.Default.VolumeBackupList);
            return ExitCodes.Ok;
        }

        var table = new TableView("ID", "NODE", "VOLUME", "SIZE", "CREATED");
        foreach (var backup in backups.Items)
        {
            table.Add(backup.Id, backup.Node, backup.Volume, Description.Bytes(backup.SizeBytes), backup.CreatedAt.ToString("u", CultureInfo.InvariantCulture));
        }

        table.Write(invocation.Terminal);
        return ExitCodes.Ok;
    }

    private static async Task<int> DeleteAsync(Invocation invocation, CancellationToken ct)
    {
        var id = invocation.Get(Id);
        using var hub = invocation.Connect();
        if (!await invocation.AskAsync(hub, $"deleting backup '{id}'", token => hub.DeleteAsync($"{All}/{Uri.EscapeDataString(id)}", token), ct))
        {
            throw new CliException(ExitCodes.NotFound, $"the hub has no backup '{id}'.", "'edgevirt volume backups list' shows what there is.");
        }

        invocation.Say($"Backup {id} is deleted.");
        return ExitCodes.Ok;
    }

    private static async Task<string> NewestAsync(Invocation invocation, string node, string volume, CancellationToken ct) =>
        (await FindAsync(invocation, node, volume, ct)).Items is [var newest, ..]
            ? newest.Id
            : throw new CliException(
                ExitCodes.NotFound, $"the hub has no backup of volume '{volume}' of node '{node}'.", "Give the --backup of another node; 'edgevirt volume backups list' shows them all.");

    private static async Task<VolumeBackupList> FindAsync(Invocation invocation, string? node, string? volume, CancellationToken ct)
    {
        using var hub = invocation.Connect();
        var path = HubPaths.Query(All, ("node", node), ("volume", volume));
        return await invocation.AskAsync(hub, "reading backups", token => hub.GetAsync(path, ContractsJson.Default.VolumeBackupList, token), ct);
    }

    /// <summary>Reads along until the hub says how it ended.</summary>
    private static async Task<VolumeTransfer> FollowAsync(Invocation invocation, string verb, string path, CancellationToken ct)
    {
        using var hub = invocation.Connect();
        var bytes = 0L;
        return await invocation.Progress.WhileAsync(
            () => $"{verb} {Description.Bytes(Volatile.Read(ref bytes))}",
            async stop =>
            {
                await foreach (var line in hub.StreamAsync(HttpMethod.Post, path, ContractsJson.Default.VolumeTransfer, stop))
                {
                    Volatile.Write(ref bytes, line.Bytes);
                    if (line.Code is { } code)
                    {
                        throw new CliException(ExitCodes.OfApiCode(code), line.Message ?? "it failed.", line.Hint);
                    }

                    if (line.IsDone)
                    {
                        return line;
                    }
                }

                throw new CliException(ExitCodes.Unreachable, "the hub broke off.", "It may be starting again; look at 'edgevirt volume backups list', and try once more.");
            },
            ct);
    }

    private static string NodeOf(Invocation invocation) => (invocation.Get(ChannelOptions.Node), invocation.Get(ChannelOptions.Local)) switch
    {
        (_, true) => throw new CliException(ExitCodes.Usage, "the hub's backups are not within reach of --local.", "Name a file instead, or leave out --local."),
        ({ } node, _) => node,
        _ => throw new CliException(ExitCodes.Usage, "it is not said on which node.", "Give --node NAME."),
    };

    private static string VolumePath(string node, string volume) => $"/api/v1/nodes/{Uri.EscapeDataString(node)}/volumes/{Uri.EscapeDataString(volume)}";
}
