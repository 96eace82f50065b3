using System.CommandLine;
using System.Globalization;
using EdgeVirt.Cli.Interactive;
using EdgeVirt.Cli.Local;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt vm snapshot</c>: snapshots of a virtual machine, through the hub or on the board.</summary>
internal static class SnapshotCommand
{
    private static readonly Argument<string> Machine = new("machine") { Description = "The virtual machine" };
    private static readonly Argument<string> Snapshot = new("snapshot") { Description = "As 'edgevirt vm snapshot list' shows it" };
    private static readonly Argument<string?> NewName = new("snapshot") { Description = "What to call it; without it after the time", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<bool> Discard = new("--discard-present") { Description = "Do not keep what is on the disks now as a snapshot of its own" };
    private static readonly Option<string?> Disk = new("--disk") { Description = "Which disk; needed if there are several", HelpName = "name" };
    private static readonly Argument<string> Target = new("file") { Description = "Where the disk goes, a qcow2 file; must not be there yet" };

    public static Command Create(Terminal terminal)
    {
        var create = Verb("create", "Takes a snapshot of all disks at one moment, while the machine runs or not");
        create.Add(NewName);
        create.Does(terminal, CreateAsync);
        var list = Verb("list", "Shows the snapshots of a virtual machine");
        list.Does(terminal, ListAsync);
        var delete = Verb("delete", "Deletes a snapshot; what only it needed is given back in the background");
        delete.Add(Snapshot);
        delete.Does(terminal, DeleteAsync);
        var restore = Verb("restore", "Puts all disks back to a snapshot; a machine that runs is ended and started again");
        restore.Add(Snapshot);
        restore.Add(Discard);
        restore.Does(terminal, RestoreAsync);
        var export = Verb("export", "Writes a disk of a snapshot to a file here, while the machine goes on");
        export.Add(Snapshot);
        export.Add(Target);
        export.Add(Disk);
        export.Does(terminal, ExportAsync);
        return new Command("snapshot", "Snapshots of virtual machines") { create, list, delete, restore, export };
    }

    private static Command Verb(string name, string description) => new(name, description) { Machine, ChannelOptions.Node, ChannelOptions.Local, LocalAgent.Socket };

    private static async Task<int> CreateAsync(Invocation invocation, CancellationToken ct)
    {
        var machine = invocation.Get(Machine);
        var open = new OpenChannel { SnapshotCreate = new SnapshotCreateRequest { Machine = machine, Snapshot = invocation.Get(NewName) ?? "" } };
        var taken = await AskAsync(invocation, "snapshots/create", open, ct);
        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, taken, ContractsJson.Default.LocalSnapshotList);
            return ExitCodes.Ok;
        }

        foreach (var snapshot in taken.Items)
        {
            invocation.Say($"Snapshot '{snapshot.Name}' of '{machine}' is taken{(snapshot.FsFrozen ? ", its file systems at rest" : ", as after a power cut: no guest agent answered")}.");
        }

        return ExitCodes.Ok;
    }

    private static async Task<int> ListAsync(Invocation invocation, CancellationToken ct)
    {
        var snapshots = await AskAsync(invocation, "snapshots/list", new OpenChannel { SnapshotList = new SnapshotListQuery { Machine = invocation.Get(Machine) } }, ct);
        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, snapshots, ContractsJson.Default.LocalSnapshotList);
            return ExitCodes.Ok;
        }

        var table = new TableView("SNAPSHOT", "PARENT", "DISKS", "OWN SIZE", "FROZEN", "BY", "CREATED");
        foreach (var snapshot in snapshots.Items)
        {
            table.Add(
                snapshot.Name, snapshot.Parent ?? "-", string.Join(", ", snapshot.Disks.Select(disk => disk.Name)), Description.Bytes(snapshot.Disks.Sum(disk => disk.OwnBytes)),
                snapshot.FsFrozen ? "yes" : "no", snapshot.IsScheduled ? "schedule" : "hand", snapshot.CreatedAt.ToString("u", CultureInfo.InvariantCulture));
        }

        table.Write(invocation.Terminal);
        return ExitCodes.Ok;
    }

    private static async Task<int> DeleteAsync(Invocation invocation, CancellationToken ct)
    {
        var (machine, snapshot) = (invocation.Get(Machine), invocation.Get(Snapshot));
        var open = new OpenChannel { SnapshotDelete = new SnapshotDeleteRequest { Machine = machine, Snapshot = snapshot } };
        await using var channel = await ChannelOptions.OpenToMachineAsync(invocation, machine, "snapshots/delete", open, ct);
        await channel.UntilClosedAsync(ct);
        invocation.Say($"Snapshot '{snapshot}' of '{machine}' is deleted.");
        return ExitCodes.Ok;
    }

    private static async Task<int> RestoreAsync(Invocation invocation, CancellationToken ct)
    {
        var (machine, snapshot) = (invocation.Get(Machine), invocation.Get(Snapshot));
        var open = new OpenChannel { SnapshotRestore = new SnapshotRestoreRequest { Machine = machine, Snapshot = snapshot, DiscardPresent = invocation.Get(Discard) } };
        await using var channel = await ChannelOptions.OpenToMachineAsync(invocation, machine, "snapshots/restore", open, ct);
        await invocation.Progress.WhileAsync(
            () => $"waiting for '{machine}' to end",
            async stop =>
            {
                await channel.UntilClosedAsync(stop);
                return true;
            },
            ct);
        invocation.Say($"The disks of '{machine}' are those of snapshot '{snapshot}'.");
        return ExitCodes.Ok;
    }

    private static async Task<int> ExportAsync(Invocation invocation, CancellationToken ct)
    {
        var (machine, snapshot) = (invocation.Get(Machine), invocation.Get(Snapshot));
        var path = ReceivedFile.PathOf(invocation.Get(Target));
        var open = new OpenChannel { SnapshotExport = new SnapshotExportRequest { Machine = machine, Snapshot = snapshot, Disk = invocation.Get(Disk) ?? "" } };
        await using var channel = await ChannelOptions.OpenToMachineAsync(invocation, machine, "snapshots/export", open, ct);
        await using var stream = new MessageReadStream(DigestedMessages.CheckedAsync(channel.ReadAllAsync(ct), ct));
        await invocation.Progress.WhileAsync(
            () => stream.Bytes == 0 ? "the node puts the disk together" : $"received {Description.Bytes(stream.Bytes)}", stop => ReceivedFile.SaveAsync(stream, path, stop), ct);
        invocation.Say($"Snapshot '{snapshot}' of '{machine}' is in {path}, {Description.Bytes(stream.Bytes)}.");
        return ExitCodes.Ok;
    }

    private static async Task<LocalSnapshotList> AskAsync(Invocation invocation, string path, OpenChannel open, CancellationToken ct)
    {
        await using var channel = await ChannelOptions.OpenToMachineAsync(invocation, invocation.Get(Machine), path, open, ct);
        return await AgentJson.ReadAsync(channel, ContractsJson.Default.LocalSnapshotList, ct);
    }
}
