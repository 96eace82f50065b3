using System.CommandLine;
using System.Globalization;
using EdgeVirt.Cli.Interactive;
using EdgeVirt.Cli.Local;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt volume</c>: the persistent volumes of a node, through the hub or on the board.</summary>
internal static class VolumeCommand
{
    private static readonly Argument<string> Volume = new("volume") { Description = "Its name on the node" };
    private static readonly Argument<string?> Target = new("file")
    {
        Description = "Where the backup goes, a tar compressed by zstd; must not be there yet", Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Argument<string?> Source = new("file") { Description = "A backup of 'edgevirt volume backup'", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> Size = new("--size") { Description = "How large a volume is to be that is not there yet, as 2Gi", HelpName = "quantity" };

    public static Command Create(Terminal terminal)
    {
        var list = Verb("list", "Shows the persistent volumes of a node, their size and who has them");
        list.Does(terminal, ListAsync);
        var delete = Verb("delete", "Deletes a volume with all that is in it; refused while a workload has it");
        delete.Add(Volume);
        delete.Does(terminal, DeleteAsync);
        var backup = Verb("backup", "Writes what is in a volume to a file here, or keeps it at the hub");
        backup.Add(Volume);
        backup.Add(Target);
        backup.Add(HubBackups.AtHub);
        backup.Does(terminal, BackUpAsync);
        var restore = Verb("restore", "Gives a volume the content of a backup, all or nothing; refused while a workload has it");
        restore.Add(Volume);
        restore.Add(Source);
        restore.Add(HubBackups.Backup);
        restore.Add(Size);
        restore.Does(terminal, RestoreAsync);
        return new Command("volume", "Persistent volumes of nodes") { list, delete, backup, restore, HubBackups.Create(terminal) };
    }

    private static Command Verb(string name, string description) => new(name, description) { ChannelOptions.Node, ChannelOptions.Local, LocalAgent.Socket };

    private static async Task<int> ListAsync(Invocation invocation, CancellationToken ct)
    {
        await using var channel = await ChannelOptions.OpenOnNodeAsync(invocation, "volumes/list", new OpenChannel { VolumeList = new VolumeListQuery() }, ct);
        var volumes = await AgentJson.ReadAsync(channel, ContractsJson.Default.LocalVolumeList, ct);
        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, volumes, ContractsJson.Default.LocalVolumeList);
            return ExitCodes.Ok;
        }

        var table = new TableView("VOLUME", "SIZE", "USED", "USED BY", "CREATED");
        foreach (var volume in volumes.Items)
        {
            table.Add(
                volume.Name, Description.Bytes(volume.SizeBytes), volume.UsedBytes is { } used ? Description.Bytes(used) : "-", string.Join(", ", volume.UsedBy),
                volume.CreatedAt.ToString("u", CultureInfo.InvariantCulture));
        }

        table.Write(invocation.Terminal);
        return ExitCodes.Ok;
    }

    private static async Task<int> DeleteAsync(Invocation invocation, CancellationToken ct)
    {
        var volume = invocation.Get(Volume);
        var open = new OpenChannel { VolumeDelete = new VolumeDeleteRequest { Volume = volume } };
        await using var channel = await ChannelOptions.OpenOnNodeAsync(invocation, "volumes/delete", open, ct);
        await channel.UntilClosedAsync(ct);
        invocation.Say($"Volume '{volume}' is deleted.");
        return ExitCodes.Ok;
    }

    private static async Task<int> BackUpAsync(Invocation invocation, CancellationToken ct)
    {
        var volume = invocation.Get(Volume);
        if (invocation.Get(Target) is { } == invocation.Get(HubBackups.AtHub))
        {
            throw new CliException(ExitCodes.Usage, "it is not said where the backup goes.", "Name a file, or give --hub.");
        }

        if (invocation.Get(HubBackups.AtHub))
        {
            return await HubBackups.BackUpAsync(invocation, volume, ct);
        }

        var path = ReceivedFile.PathOf(invocation.Get(Target)!);
        var open = new OpenChannel { VolumeBackup = new VolumeBackupRequest { Volume = volume } };
        await using var channel = await ChannelOptions.OpenOnNodeAsync(invocation, "volumes/backup", open, ct);
        await using var stream = new MessageReadStream(DigestedMessages.CheckedAsync(channel.ReadAllAsync(ct), ct));
        await invocation.Progress.WhileAsync(() => $"received {Description.Bytes(stream.Bytes)}", stop => ReceivedFile.SaveAsync(stream, path, stop), ct);
        invocation.Say($"Volume '{volume}' is in {path}, {Description.Bytes(stream.Bytes)}.");
        return ExitCodes.Ok;
    }

    private static async Task<int> RestoreAsync(Invocation invocation, CancellationToken ct)
    {
        var (volume, size) = (invocation.Get(Volume), invocation.Get(Size));
        if (invocation.Get(Source) is { } == invocation.Get(HubBackups.Backup) is { })
        {
            throw new CliException(ExitCodes.Usage, "it is not said which backup.", "Name a file, or give --backup ID; 'edgevirt volume backups list' shows those of the hub.");
        }

        var quantity = default(Quantity);
        if (size is not null && (!Quantity.TryParse(size, out quantity) || quantity.Value < 1))
        {
            throw new CliException(ExitCodes.Usage, $"'{size}' is no size.", "Write --size 2Gi.");
        }

        if (invocation.Get(HubBackups.Backup) is { } backup)
        {
            return await HubBackups.RestoreAsync(invocation, volume, backup, (long)quantity.Value, ct);
        }

        var path = Path.GetFullPath(invocation.Get(Source)!);
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read);
        var open = new OpenChannel { VolumeRestore = new VolumeRestoreRequest { Volume = volume, SizeBytes = (long)quantity.Value } };
        await using var channel = await ChannelOptions.OpenOnNodeAsync(invocation, "volumes/restore", open, ct);
        await using var stream = new MessageWriteStream(DigestedMessages.Sending(channel.SendAsync));
        await invocation.Progress.WhileAsync(() => $"sent {Description.Bytes(stream.Bytes)}", stop => SendAsync(file, stream, channel, stop), ct);
        invocation.Say($"Volume '{volume}' is restored from {path}.");
        return ExitCodes.Ok;
    }

    private static async Task<bool> SendAsync(FileStream file, MessageWriteStream stream, ClientChannel channel, CancellationToken ct)
    {
        await channel.SendUntilClosedAsync(
            async over =>
            {
                await file.CopyToAsync(stream, over);
                await stream.EndAsync(over);
            },
            ct);
        return true;
    }
}
