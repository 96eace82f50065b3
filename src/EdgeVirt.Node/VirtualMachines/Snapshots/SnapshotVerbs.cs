using System.Globalization;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Control;
using EdgeVirt.Node.VirtualMachines.Disks;

namespace EdgeVirt.Node.VirtualMachines.Snapshots;

/// <summary>What people do with the snapshots of virtual machines, from the hub or on the board.</summary>
internal sealed class SnapshotVerbs(VirtualMachineReconciler machines, TimeProvider time)
{
    /// <summary>How many there are.</summary>
    public const int Count = 5;

    public IReadOnlyList<ChannelVerb> All =>
    [
        new(OpenChannel.VerbOneofCase.SnapshotList, IsLocalOnly: false, Refusing(ListAsync)),
        new(OpenChannel.VerbOneofCase.SnapshotCreate, IsLocalOnly: false, Refusing(CreateAsync)),
        new(OpenChannel.VerbOneofCase.SnapshotDelete, IsLocalOnly: false, Refusing(DeleteAsync)),
        new(OpenChannel.VerbOneofCase.SnapshotRestore, IsLocalOnly: false, Refusing(RestoreAsync)),
        new(OpenChannel.VerbOneofCase.SnapshotExport, IsLocalOnly: false, Refusing(ExportAsync)),
    ];

    private async Task ListAsync(OpenChannel open, ServedChannel channel, CancellationToken ct) =>
        await SendAsync(await machines.AskAsync(open.SnapshotList.Machine, owner => owner.RequestAsync((all, _, _) => Task.FromResult(all.List())), ct), channel, ct);

    private async Task CreateAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        var wanted = open.SnapshotCreate.Snapshot;
        var name = wanted.Length > 0 ? wanted : "snapshot-" + time.GetUtcNow().ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture);
        var taken = await machines.AskAsync(open.SnapshotCreate.Machine, owner => owner.SnapshotAsync(name), ct);
        await SendAsync(new LocalSnapshotList { Items = [taken] }, channel, ct);
    }

    private Task DeleteAsync(OpenChannel open, ServedChannel channel, CancellationToken ct) => machines.AskAsync(
        open.SnapshotDelete.Machine,
        owner => owner.RequestAsync((all, _, _) =>
        {
            all.Delete(open.SnapshotDelete.Snapshot);
            return Task.FromResult(true);
        }),
        ct);

    private Task RestoreAsync(OpenChannel open, ServedChannel channel, CancellationToken ct) => machines.AskAsync(
        open.SnapshotRestore.Machine,
        async owner =>
        {
            await owner.RestoreAsync(open.SnapshotRestore.Snapshot, !open.SnapshotRestore.DiscardPresent);
            return true;
        },
        ct);

    private async Task ExportAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        var (wanted, disk) = (open.SnapshotExport, open.SnapshotExport.Disk is { Length: > 0 } name ? name : null);
        using var reading = await machines.AskAsync(wanted.Machine, owner => owner.RequestAsync((all, monitor, stop) => all.ReadAsync(wanted.Snapshot, disk, monitor, stop)), ct);
        await reading.WriteAsync(ct);
        using var writer = new StreamMessageWriter(channel.SendAsync);
        await using var stream = new MessageWriteStream(DigestedMessages.Sending(writer.WriteAsync));
        await using var file = new FileStream(reading.Path, FileMode.Open, FileAccess.Read);
        await file.CopyToAsync(stream, ct);
        await stream.EndAsync(ct);
    }

    private static async Task SendAsync(LocalSnapshotList list, ServedChannel channel, CancellationToken ct)
    {
        using var writer = new StreamMessageWriter(channel.SendAsync);
        await using var stream = new MessageWriteStream(writer.WriteAsync);
        await stream.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(list, ContractsJson.Default.LocalSnapshotList), ct);
        await stream.EndAsync(ct);
    }

    private static ServeChannel Refusing(Func<OpenChannel, ServedChannel, CancellationToken, Task> serve) => async (open, channel, ct) =>
    {
        try
        {
            await serve(open, channel, ct);
            return "";
        }
        catch (SnapshotRefusedException e)
        {
            throw new ChannelRefusedException(e.IsMissing ? CloseReason.NotFound : CloseReason.Invalid, Sentence(e.Message));
        }
        catch (Exception e) when (e is DiskUnavailableException or DiskRefusedException || (e is IOException && !ct.IsCancellationRequested))
        {
            throw new ChannelRefusedException(CloseReason.Failed, Sentence(e.Message));
        }
    };

    private static string Sentence(string words) => words.Length == 0 ? words : $"{char.ToUpperInvariant(words[0])}{words[1..].TrimEnd('.')}.";
}
