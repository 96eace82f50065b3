using System.Text.RegularExpressions;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Qmp;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.VirtualMachines.Snapshots;

/// <summary>Layers that no snapshot needs any more: merged into the ones below, or removed.</summary>
internal sealed partial class VmSnapshots
{
    // While the machine is off its owner waits for it, so only what takes seconds; the rest is merged while it runs.
    private const long MostWhileOff = 1L << 30;
    private static readonly TimeSpan RetryMerge = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan CancelTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan CancelPause = TimeSpan.FromMilliseconds(20);

    private DateTimeOffset? notBefore;
    private int readers;

    /// <summary>Takes the next step towards as few layers as the snapshots need.</summary>
    /// <returns>False: nothing is left to do now.</returns>
    public async Task<bool> CompactAsync(QmpClient? monitor, CancellationToken ct)
    {
        if (State.Merge is { } merge && monitor is not null)
        {
            return await FollowAsync(merge, monitor, ct);
        }

        // What is read as a whole keeps its files.
        if (Volatile.Read(ref readers) > 0 || notBefore > tools.Time.GetUtcNow() || SnapshotTree.NextSpare(State, monitor is not null, IsSmallEnough) is not { } spare)
        {
            return false;
        }

        try
        {
            if (spare.Above is not { } above)
            {
                Put(SnapshotTree.Dropped(State, spare));
                File.Delete(paths.Layer(spare.Disk, spare.Layer));
                return true;
            }

            // The lower one grows by at most that, before the upper one goes.
            tools.Disks.CheckRoom(SizeOf(spare.Disk, above));
            await MergeAsync(new LayerMerge(spare.Disk, spare.Layer, above), monitor, ct);
            return true;
        }
        catch (Exception e) when (e is DiskUnavailableException or (IOException and not QmpException))
        {
            notBefore = tools.Time.GetUtcNow() + RetryMerge;
            LogNotMerged(tools.Log, spare.Disk, e.Message);
            return false;
        }

        bool IsSmallEnough(SpareLayer layer) => layer.Above is not { } upper || IsOpen(layer.Disk, upper, monitor) || SizeOf(layer.Disk, upper) <= MostWhileOff;
    }

    /// <summary>A snapshot's disk, to be read as a whole. Its files stay until what is returned is disposed of.</summary>
    /// <exception cref="SnapshotRefusedException">There is no such snapshot or disk, or it is not said which of several.</exception>
    public async Task<SnapshotReading> ReadAsync(string name, string? disk, QmpClient? monitor, CancellationToken ct)
    {
        var snapshot = Find(name);
        var names = string.Join(", ", snapshot.Disks.Select(one => one.Disk));
        var found = snapshot.Disks.Where(one => disk is null || one.Disk == disk).ToList() switch
        {
            [var only] => only,
            [] => throw new SnapshotRefusedException($"snapshot '{name}' has no disk '{disk}', only {names}", isMissing: true),
            _ => throw new SnapshotRefusedException($"snapshot '{name}' has several disks: say with --disk which of {names}"),
        };
        var record = RecordOf(found.Disk);
        var chain = State.ChainOf(found.Disk)!;
        // Zeros that a raw file leaves out cannot be told from outside, so it counts in full.
        tools.Disks.CheckRoom(Math.Min(found.VirtualBytes, SnapshotTree.Down(chain, found.Layer).Sum(layer => SizeOf(found.Disk, layer.Number)) + (record.Base is { } began ? tools.Disks.LengthOf(began) : 0)));
        await EndMergeAsync(monitor, ct);
        // A merge that had just ended has changed them.
        found = Find(name).Disks.First(one => one.Disk == found.Disk);
        Interlocked.Increment(ref readers);
        var file = SnapshotTree.FileOf(paths, record, State.ChainOf(found.Disk), found.Layer, tools.Disks.BeganFrom(record));
        return new SnapshotReading(file, user, $"{paths.Export}{Guid.NewGuid():N}", () => Interlocked.Decrement(ref readers));
    }

    // Neither of both is open in a QEMU, or the upper one is in the chain that it has.
    private bool IsOpen(string disk, int layer, QmpClient? monitor) =>
        monitor is not null && State.ChainOf(disk)! is var chain && SnapshotTree.Down(chain, chain.Top).Any(open => open.Number == layer);

    private async Task MergeAsync(LayerMerge merge, QmpClient? monitor, CancellationToken ct)
    {
        if (!IsOpen(merge.Disk, merge.Upper, monitor))
        {
            var record = RecordOf(merge.Disk);
            await SnapshotFiles.MergeAsync(SnapshotTree.FileOf(paths, record, State.ChainOf(merge.Disk), merge.Upper, tools.Disks.BeganFrom(record)), user, ct);
            Put(SnapshotTree.Merged(State, merge));
            File.Delete(paths.Layer(merge.Disk, merge.Upper));
            return;
        }

        // One that an earlier agent saw to its end and did not have forgotten.
        if (await LiveDisks.MergeAsync(monitor!, ct) is { IsOver: true })
        {
            await LiveDisks.ForgetMergeAsync(monitor!, ct);
        }

        Put(State with { Merge = merge });
        try
        {
            await LiveDisks.BeginMergeAsync(
                monitor!,
                DiskNodes.Of(merge.Disk, State.ChainOf(merge.Disk)!.Top),
                (DiskNodes.Of(merge.Disk, merge.Upper), DiskNodes.Of(merge.Disk, merge.Lower)),
                paths.Layer(merge.Disk, merge.Lower),
                ct);
        }
        catch (QmpCommandException)
        {
            Put(State with { Merge = null });
            throw;
        }
    }

    private async Task<bool> FollowAsync(LayerMerge merge, QmpClient monitor, CancellationToken ct)
    {
        var job = await LiveDisks.MergeAsync(monitor, ct);
        if (job is { IsOver: false })
        {
            return false;
        }

        if (job is { Error: null })
        {
            // Only what was written down as merged is forgotten by QEMU, and its file removed.
            Put(SnapshotTree.Merged(State, merge));
            await LiveDisks.ForgetMergeAsync(monitor, ct);
            await LiveDisks.TryCloseAsync(monitor, DiskNodes.Of(merge.Disk, merge.Upper), ct);
            File.Delete(paths.Layer(merge.Disk, merge.Upper));
            return true;
        }

        // It never began, or failed or was ended: upper over lower shows the same as before.
        Put(State with { Merge = null });
        if (job is { Error: { } error })
        {
            await LiveDisks.ForgetMergeAsync(monitor, ct);
            notBefore = tools.Time.GetUtcNow() + RetryMerge;
            LogNotMerged(tools.Log, merge.Disk, error);
        }

        return true;
    }

    // QEMU takes no snapshot of a disk while it merges layers of it; what was copied is copied again later.
    private async Task EndMergeAsync(QmpClient? monitor, CancellationToken ct)
    {
        if (monitor is null || State.Merge is not { } merge)
        {
            return;
        }

        var began = tools.Time.GetTimestamp();
        if (await LiveDisks.MergeAsync(monitor, ct) is { IsOver: false })
        {
            await LiveDisks.CancelMergeAsync(monitor, ct);
        }

        while (!await FollowAsync(merge, monitor, ct))
        {
            if (tools.Time.GetElapsedTime(began) > CancelTimeout)
            {
                throw new SnapshotRefusedException("layers of an earlier snapshot are being merged, and that does not end; try again in a minute");
            }

            await Task.Delay(CancelPause, tools.Time, ct);
        }

        notBefore = null;
    }

    // What an agent that was killed left: files that nobody knows, and what QEMU still has open of them.
    private async Task SweepAsync(QmpClient? monitor, CancellationToken ct)
    {
        var directory = Path.GetDirectoryName(paths.Disk("x"))!;
        var known = SnapshotTree.Files(paths, State).ToHashSet();
        if (monitor is not null)
        {
            var nodes = State.Chains.SelectMany(chain => chain.Layers.Select(layer => DiskNodes.Of(chain.Disk, layer.Number))).ToHashSet();
            foreach (var node in (await LiveDisks.NodesAsync(monitor, ct)).Where(node => LayerName().IsMatch(node) && !nodes.Contains(node)))
            {
                await LiveDisks.TryCloseAsync(monitor, node, ct);
            }
        }

        foreach (var file in Directory.Exists(paths.DataDirectory) ? Directory.GetFiles(paths.DataDirectory, Path.GetFileName(paths.Export) + "*") : [])
        {
            File.Delete(file);
        }

        foreach (var file in Directory.Exists(directory) ? Directory.GetFiles(directory) : [])
        {
            if (LayerName().IsMatch(Path.GetFileName(file)) && !known.Contains(file))
            {
                LogSwept(tools.Log, file);
                File.Delete(file);
            }
        }
    }

    /// <summary>What there is, for people.</summary>
    public LocalSnapshotList List() => new()
    {
        Items = [.. State.Snapshots.Where(snapshot => snapshot.Phase == SnapshotPhase.Taken).Select(Describe)],
    };

    /// <summary>One of them, for people.</summary>
    public LocalSnapshot Describe(VmSnapshot snapshot) => new()
    {
        Name = snapshot.Name,
        CreatedAt = snapshot.CreatedAt,
        IsScheduled = snapshot.IsScheduled,
        FsFrozen = snapshot.FsFrozen,
        Parent = SnapshotTree.ParentOf(State, snapshot),
        Disks = [.. snapshot.Disks.Select(disk => new LocalSnapshotDisk { Name = disk.Disk, SizeBytes = disk.VirtualBytes, OwnBytes = SizeOf(disk.Disk, disk.Layer) })],
    };

    // A qcow2 is about as long as what it has; a layer that is merged into another is always one.
    private long SizeOf(string disk, int layer) => new FileInfo(paths.Layer(disk, layer)) is { Exists: true } file ? file.Length : 0;

    [GeneratedRegex("^[a-z0-9-]+\\.[0-9a-f]+$", RegexOptions.CultureInvariant)]
    private static partial Regex LayerName();

    [LoggerMessage(Level = LogLevel.Warning, Message = "Layers of disk {Disk} are not merged yet: {Why}")]
    private static partial void LogNotMerged(ILogger log, string disk, string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Path} is the rest of a snapshot that was cut short, and is removed")]
    private static partial void LogSwept(ILogger log, string path);
}
