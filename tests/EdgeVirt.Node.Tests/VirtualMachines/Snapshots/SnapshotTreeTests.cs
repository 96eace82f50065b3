using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Snapshots;

namespace EdgeVirt.Node.Tests.VirtualMachines.Snapshots;

/// <summary>What becomes of layers, on paper.</summary>
public sealed class SnapshotTreeTests
{
    private static readonly DiskRecord Root = new() { Name = "root", Format = DiskFormat.Qcow2, VirtualBytes = 100, Base = new BaseDisk("abc", DiskFormat.Raw, 100) };
    private static readonly DiskRecord Data = new() { Name = "data", Format = DiskFormat.Raw, VirtualBytes = 50 };
    private static readonly DateTimeOffset At = new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero);

    [Test]
    public void A_snapshot_is_written_down_before_it_changes_anything()
    {
        var begun = SnapshotTree.Begun(SnapshotState.None, New("a"), [Root, Data]);
        Assert.That(begun.Chains.Select(chain => (chain.Disk, chain.Top, chain.Layers.Count)), Is.EqualTo(((string, int, int)[])[("root", 0, 1), ("data", 0, 1)]));
        Assert.That(SnapshotTree.Unsettled(begun)!.Disks, Is.EqualTo((SnapshotDisk[])[new("root", 0, 100), new("data", 0, 50)]));

        var taken = SnapshotTree.Taken(begun, begun.Find("a")!);
        Assert.That(taken.ChainOf("data"), Has.Property("Top").EqualTo(1).And.Property("Next").EqualTo(2));
        Assert.That(taken.ChainOf("data")!.Layers, Is.EqualTo((DiskLayer[])[new(0, DiskFormat.Raw, null), new(1, DiskFormat.Qcow2, 0)]));
        Assert.That(SnapshotTree.Unsettled(taken), Is.Null);
    }

    [Test]
    public void One_that_never_was_leaves_nothing_and_uses_up_its_number()
    {
        var begun = SnapshotTree.Begun(SnapshotState.None, New("a"), [Root]);
        var undone = SnapshotTree.Undone(begun, begun.Find("a")!);
        Assert.That((undone.Snapshots.Count, undone.ChainOf("root")!.Top, undone.ChainOf("root")!.Next), Is.EqualTo((0, 0, 2)));
    }

    [Test]
    public void Files_follow_from_the_layers_the_topmost_first()
    {
        var state = Take(Take(SnapshotState.None, "a"), "b");
        var paths = new VmPaths("/vm", "/run/vm");
        var file = SnapshotTree.FileOf(paths, Root, state.ChainOf("root"), 2, new DiskFile("/bases/abc", DiskFormat.Raw));
        List<string> shown = [];
        for (var at = file; at is not null; at = at.Backing)
        {
            shown.Add($"{at.Path} {at.Format} {at.Node}");
        }

        Assert.That(shown, Is.EqualTo((string[])["/vm/disks/root.2 Qcow2 disk-root.2", "/vm/disks/root.1 Qcow2 disk-root.1", "/vm/disks/root Qcow2 disk-root", "/bases/abc Raw "]));
        Assert.That(() => SnapshotTree.Down(new DiskChain("root", 1, 2, [new(0, DiskFormat.Raw, 1), new(1, DiskFormat.Qcow2, 0)]), 1), Throws.TypeOf<DiskUnavailableException>());
    }

    [Test]
    public void The_top_is_merged_only_while_the_machine_is_off()
    {
        var deleted = SnapshotTree.Deleted(Take(SnapshotState.None, "a"), "a");
        Assert.That(SnapshotTree.NextSpare(deleted, isRunning: true), Is.Null);
        Assert.That(SnapshotTree.NextSpare(deleted, isRunning: false), Is.EqualTo(new SpareLayer("root", 0, 1)));
        var merged = SnapshotTree.Merged(deleted, new LayerMerge("root", 0, 1));
        Assert.That((merged.ChainOf("root")!.Top, merged.ChainOf("root")!.Layers), Is.EqualTo((0, (DiskLayer[])[new(0, DiskFormat.Qcow2, null)])));
    }

    [Test]
    public void The_schedule_removes_only_its_own_and_the_oldest_first()
    {
        var state = SnapshotState.None;
        foreach (var name in (string[])["s1", "mine", "s2", "s3"])
        {
            state = Take(state, name, name[0] == 's');
        }

        Assert.That(SnapshotTree.Expired(state, 2), Is.EqualTo((string[])["s1"]));
        Assert.That(SnapshotTree.Expired(state, 3), Is.Empty);
    }

    // Layers are played by numbers of blocks written in them; whatever is done, each snapshot and the present show what they showed.
    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    [TestCase(4)]
    public void Whatever_is_taken_restored_deleted_and_merged_shows_what_it_showed(int seed)
    {
        var random = new Random(seed);
        var state = Take(SnapshotState.None, "first");
        var layers = new Dictionary<int, Dictionary<int, int>> { [0] = new() { [0] = -1 }, [1] = [] };
        var expected = new Dictionary<string, string> { ["first"] = Show(0) };
        var mostLayers = 0;
        for (var i = 0; i < 3000; i++)
        {
            var some = state.Snapshots.Count == 0 ? null : state.Snapshots[random.Next(state.Snapshots.Count)].Name;
            var present = Show(state.ChainOf("root")!.Top);
            switch (random.Next(8))
            {
                case 0 when state.Snapshots.Count < 12:
                    expected[$"s{i}"] = present;
                    state = Take(state, $"s{i}");
                    layers[state.ChainOf("root")!.Top] = [];
                    break;
                case 1 when state.Snapshots.Count < 12:
                    var begun = SnapshotTree.Begun(state, New($"u{i}"), [Root]);
                    state = SnapshotTree.Undone(begun, begun.Find($"u{i}")!);
                    break;
                case 2 when some is not null:
                    var keeps = random.Next(2) == 0 && state.Snapshots.Count < 12;
                    if (keeps)
                    {
                        expected[$"k{i}"] = present;
                    }

                    state = SnapshotTree.Restored(state with { Restore = new SnapshotRestore(some, keeps ? $"k{i}" : null) }, state.Find(some)!, [Root], At);
                    layers[state.ChainOf("root")!.Top] = [];
                    Assert.That(Show(state.ChainOf("root")!.Top), Is.EqualTo(expected[some]));
                    break;
                case 3 when some is not null:
                    state = SnapshotTree.Deleted(state, some);
                    expected.Remove(some);
                    break;
                case 4 or 5 when SnapshotTree.NextSpare(state, isRunning: random.Next(2) == 0) is { } spare:
                    if (spare.Above is { } above)
                    {
                        foreach (var (block, value) in layers[above])
                        {
                            layers[spare.Layer][block] = value;
                        }

                        state = SnapshotTree.Merged(state, new LayerMerge("root", spare.Layer, above));
                        layers.Remove(above);
                    }
                    else
                    {
                        state = SnapshotTree.Dropped(state, spare);
                        layers.Remove(spare.Layer);
                    }

                    break;
                default:
                    layers[state.ChainOf("root")!.Top][random.Next(20)] = i;
                    break;
            }

            foreach (var snapshot in state.Snapshots)
            {
                Assert.That(Show(snapshot.Disks.Single().Layer), Is.EqualTo(expected[snapshot.Name]), $"{snapshot.Name} after step {i}");
            }

            Assert.That(layers.Keys, Is.EquivalentTo(state.ChainOf("root")!.Layers.Select(layer => layer.Number)));
            mostLayers = Math.Max(mostLayers, layers.Count);
        }

        for (; SnapshotTree.NextSpare(state, isRunning: false) is { } spare;)
        {
            state = spare.Above is { } above ? SnapshotTree.Merged(state, new LayerMerge("root", spare.Layer, above)) : SnapshotTree.Dropped(state, spare);
        }

        Assert.That(mostLayers, Is.GreaterThan(12));
        Assert.That(state.ChainOf("root")!.Layers, Has.Count.LessThanOrEqualTo((2 * state.Snapshots.Count) + 1), "layers are bounded by the snapshots");

        string Show(int layer)
        {
            var seen = new SortedDictionary<int, int>();
            foreach (var part in SnapshotTree.Down(state.ChainOf("root")!, layer))
            {
                foreach (var (block, value) in layers[part.Number])
                {
                    seen.TryAdd(block, value);
                }
            }

            return string.Join(' ', seen);
        }
    }

    private static VmSnapshot New(string name, bool isScheduled = false) => new() { Name = name, CreatedAt = At, Phase = SnapshotPhase.Making, IsScheduled = isScheduled, Disks = [] };

    private static SnapshotState Take(SnapshotState state, string name, bool isScheduled = false)
    {
        var begun = SnapshotTree.Begun(state, New(name, isScheduled), [Root]);
        var made = SnapshotTree.Made(begun, begun.Find(name)!);
        return SnapshotTree.Taken(made, made.Find(name)!);
    }
}
