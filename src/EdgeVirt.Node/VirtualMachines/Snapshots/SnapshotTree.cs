using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Qemu;

namespace EdgeVirt.Node.VirtualMachines.Snapshots;

/// <summary>A layer that no snapshot needs any more.</summary>
/// <param name="Disk">Whose.</param>
/// <param name="Layer">Which.</param>
/// <param name="Above">The one layer that begins from it, to be merged into it; null: none does, it can go.</param>
internal sealed record SpareLayer(string Disk, int Layer, int? Above);

/// <summary>What snapshots do to a machine's layers. Pure.</summary>
internal static class SnapshotTree
{
    /// <summary>A snapshot of the present begins: nothing is done yet.</summary>
    public static SnapshotState Begun(SnapshotState state, VmSnapshot snapshot, IReadOnlyList<DiskRecord> disks)
    {
        var chains = state.Chains.ToList();
        foreach (var disk in disks.Where(disk => state.ChainOf(disk.Name) is null))
        {
            chains.Add(new DiskChain(disk.Name, Top: 0, Next: 1, [new DiskLayer(0, disk.Format, Parent: null)]));
        }

        var known = state with { Chains = chains };
        return known with
        {
            Snapshots = [.. state.Snapshots, snapshot with { Phase = SnapshotPhase.Making, Disks = [.. disks.Select(disk => new SnapshotDisk(disk.Name, known.ChainOf(disk.Name)!.Top, disk.VirtualBytes))] }],
        };
    }

    /// <summary>The snapshot that is not whole yet; null: there is none.</summary>
    public static VmSnapshot? Unsettled(SnapshotState state) => state.Snapshots.FirstOrDefault(snapshot => snapshot.Phase != SnapshotPhase.Taken);

    /// <summary>The layers that come on top by it are whole.</summary>
    public static SnapshotState Made(SnapshotState state, VmSnapshot snapshot, bool fsFrozen = false) =>
        Replaced(state, snapshot with { Phase = SnapshotPhase.Switching, FsFrozen = fsFrozen });

    /// <summary>It is to be undone: its layers go next.</summary>
    public static SnapshotState GivenUp(SnapshotState state, VmSnapshot snapshot) => Replaced(state, snapshot with { Phase = SnapshotPhase.Making });

    /// <summary>The guest writes to them.</summary>
    public static SnapshotState Taken(SnapshotState state, VmSnapshot snapshot) => snapshot.Disks.Aggregate(
        Replaced(state, snapshot with { Phase = SnapshotPhase.Taken }), (before, disk) => OnTop(before, disk.Disk, disk.Layer));

    /// <summary>It never was. Its numbers are not used again: QEMU may have seen them.</summary>
    public static SnapshotState Undone(SnapshotState state, VmSnapshot snapshot) => state with
    {
        Snapshots = [.. state.Snapshots.Where(other => other.Name != snapshot.Name)],
        Chains = [.. state.Chains.Select(chain => snapshot.Disks.Any(disk => disk.Disk == chain.Disk) ? chain with { Next = chain.Next + 1 } : chain)],
    };

    /// <summary>The machine's disks begin anew from a snapshot's; what they were becomes a snapshot, or is not needed any more.</summary>
    public static SnapshotState Restored(SnapshotState state, VmSnapshot snapshot, IReadOnlyList<DiskRecord> disks, DateTimeOffset now)
    {
        var restore = state.Restore!;
        IReadOnlyList<VmSnapshot> kept = restore.KeepAs is not { } name ? [] :
        [
            new VmSnapshot
            {
                Name = name,
                CreatedAt = now,
                Phase = SnapshotPhase.Taken,
                Disks = [.. snapshot.Disks.Select(disk => new SnapshotDisk(disk.Disk, state.ChainOf(disk.Disk)!.Top, disks.First(record => record.Name == disk.Disk).VirtualBytes))],
            },
        ];
        return snapshot.Disks.Aggregate(
            state with { Restore = null, Snapshots = [.. state.Snapshots, .. kept] }, (before, disk) => OnTop(before, disk.Disk, disk.Layer));
    }

    /// <summary>A snapshot is gone. Its layers become spare, as far as nothing else needs them.</summary>
    public static SnapshotState Deleted(SnapshotState state, string name) => state with { Snapshots = [.. state.Snapshots.Where(snapshot => snapshot.Name != name)] };

    /// <summary>A spare layer that can be done away with now.</summary>
    /// <param name="state">What there is.</param>
    /// <param name="isRunning">The guest writes to the top layers, so these are left.</param>
    /// <param name="isAllowed">Null: every one is.</param>
    public static SpareLayer? NextSpare(SnapshotState state, bool isRunning, Func<SpareLayer, bool>? isAllowed = null)
    {
        foreach (var chain in state.Chains)
        {
            var needed = state.Snapshots.SelectMany(snapshot => snapshot.Disks).Where(disk => disk.Disk == chain.Disk).Select(disk => disk.Layer).Append(chain.Top).ToHashSet();
            foreach (var layer in chain.Layers.Where(layer => !needed.Contains(layer.Number)))
            {
                var above = chain.Layers.Where(other => other.Parent == layer.Number).ToList();
                var spare = new SpareLayer(chain.Disk, layer.Number, above is [var only] ? only.Number : null);
                if (above.Count <= 1 && !(isRunning && spare.Above == chain.Top) && isAllowed?.Invoke(spare) != false)
                {
                    return spare;
                }
            }
        }

        return null;
    }

    /// <summary>A spare layer that nothing begins from is gone.</summary>
    public static SnapshotState Dropped(SnapshotState state, SpareLayer spare) =>
        WithChain(state, state.ChainOf(spare.Disk)! is var chain ? chain with { Layers = [.. chain.Layers.Where(layer => layer.Number != spare.Layer)] } : chain);

    /// <summary>The lower layer has all that the upper one had, and stands in for it everywhere.</summary>
    public static SnapshotState Merged(SnapshotState state, LayerMerge merge)
    {
        var chain = state.ChainOf(merge.Disk)!;
        var merged = WithChain(state, chain with
        {
            Top = chain.Top == merge.Upper ? merge.Lower : chain.Top,
            Layers = [.. chain.Layers.Where(layer => layer.Number != merge.Upper).Select(layer => layer.Parent == merge.Upper ? layer with { Parent = merge.Lower } : layer)],
        });
        return merged with
        {
            Merge = null,
            Snapshots =
            [
                .. merged.Snapshots.Select(snapshot => snapshot with
                {
                    Disks = [.. snapshot.Disks.Select(disk => disk.Disk == merge.Disk && disk.Layer == merge.Upper ? disk with { Layer = merge.Lower } : disk)],
                }),
            ],
        };
    }

    /// <summary>A layer and those that show through it, the topmost first.</summary>
    public static IReadOnlyList<DiskLayer> Down(DiskChain chain, int from)
    {
        List<DiskLayer> way = [];
        for (int? at = from; at is { } number;)
        {
            var layer = chain.Layers.First(other => other.Number == number);
            way.Add(layer);
            // What is written down is the node's own; still no loop shall hang it.
            at = way.Count <= chain.Layers.Count ? layer.Parent : throw new DiskUnavailableException($"the layers of disk {chain.Disk} form a circle; the machine's snapshots.json is damaged");
        }

        return way;
    }

    /// <summary>The snapshot that another one shows through to; null: none, only what the disks began from.</summary>
    public static string? ParentOf(SnapshotState state, VmSnapshot snapshot)
    {
        var disk = snapshot.Disks[0];
        foreach (var layer in Down(state.ChainOf(disk.Disk)!, disk.Layer).Skip(1))
        {
            if (state.Snapshots.FirstOrDefault(other => other.Disks.Any(one => one.Disk == disk.Disk && one.Layer == layer.Number)) is { } found)
            {
                return found.Name;
            }
        }

        return null;
    }

    /// <summary>Scheduled snapshots beyond the newest so many.</summary>
    public static IEnumerable<string> Expired(SnapshotState state, int keep) =>
        state.Snapshots.Where(snapshot => snapshot is { IsScheduled: true, Phase: SnapshotPhase.Taken }).Select(snapshot => snapshot.Name).SkipLast(keep);

    /// <summary>All files that a machine's layers have.</summary>
    public static IEnumerable<string> Files(VmPaths paths, SnapshotState state) =>
        state.Chains.SelectMany(chain => chain.Layers.Select(layer => paths.Layer(chain.Disk, layer.Number)));

    /// <summary>A layer as QEMU is given it, node by node.</summary>
    /// <param name="paths">Whose it is.</param>
    /// <param name="disk">What is written down about the disk.</param>
    /// <param name="chain">Its layers; null: it has only the file that it began with.</param>
    /// <param name="layer">Which.</param>
    /// <param name="began">What the disk began from; null: nothing.</param>
    public static DiskFile FileOf(VmPaths paths, DiskRecord disk, DiskChain? chain, int layer, DiskFile? began) =>
        Down(chain ?? new DiskChain(disk.Name, 0, 1, [new DiskLayer(0, disk.Format, null)]), layer).Reverse().Aggregate(
            began, (below, next) => new DiskFile(paths.Layer(disk.Name, next.Number), next.Format) { Node = DiskNodes.Of(disk.Name, next.Number), Backing = below })!;

    private static SnapshotState OnTop(SnapshotState state, string disk, int parent) => WithChain(state, state.ChainOf(disk)! is var chain
        ? chain with { Top = chain.Next, Next = chain.Next + 1, Layers = [.. chain.Layers, new DiskLayer(chain.Next, DiskFormat.Qcow2, parent)] }
        : chain);

    private static SnapshotState WithChain(SnapshotState state, DiskChain changed) =>
        state with { Chains = [.. state.Chains.Select(chain => chain.Disk == changed.Disk ? changed : chain)] };

    private static SnapshotState Replaced(SnapshotState state, VmSnapshot changed) =>
        state with { Snapshots = [.. state.Snapshots.Select(snapshot => snapshot.Name == changed.Name ? changed : snapshot)] };
}
