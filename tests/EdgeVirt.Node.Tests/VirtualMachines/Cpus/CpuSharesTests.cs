using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Cpus;

namespace EdgeVirt.Node.Tests.VirtualMachines.Cpus;

public sealed class CpuSharesTests
{
    // Four cores of two threads each, one cluster.
    private static readonly IReadOnlyList<Cpu> Threaded = [.. Enumerable.Range(0, 8).Select(i => new Cpu(i, "", 1024, "0-7", $"{i % 4},{(i % 4) + 4}"))];

    // Four small cores, two pairs of large ones.
    private static readonly IReadOnlyList<Cpu> BigLittle =
        [.. Enumerable.Range(0, 8).Select(i => new Cpu(i, i < 4 ? "little" : "big", i < 4 ? 500 : 1024, i < 4 ? "0-3" : i < 6 ? "4-5" : "6-7", $"{i}"))];

    [Test]
    public void On_like_processors_a_machine_that_shares_may_run_on_all()
    {
        var shares = new CpuShares(() => Threaded);
        Assert.That(shares.Take("a", Cpu(8)), Is.EqualTo(new VmCpus("0-7", 8, IsDedicated: false)));
        Assert.That(shares.IsAll(shares.AssignmentOf("a")!));
    }

    [Test]
    public void Dedicated_ones_are_whole_cores_away_from_the_first_and_nobody_elses()
    {
        var shares = new CpuShares(() => Threaded);
        shares.Take("shared", Cpu(2));
        Assert.That(shares.Take("a", Dedicated(4)).Numbers(), Is.EqualTo((int[])[1, 5, 2, 6]));
        Assert.That(shares.Take("b", Dedicated(2)).Numbers(), Is.EqualTo((int[])[3, 7]));
        Assert.That(shares.AssignmentOf("a")!.Text, Is.EqualTo("1,5,2,6/0,4"));
        Assert.That(shares.AssignmentOf("shared")!.Text, Is.EqualTo("/0,4"), "moves out of their way");
        var refused = Assert.Throws<VmNotReadyException>(() => shares.Take("c", Dedicated(2)));
        Assert.That(refused!.Problem, Is.EqualTo(new VmProblem(
            ReadyReasons.ResourcesMissing, "2 processors of the node for this machine alone are wanted (dedicatedCpuPlacement); it has 8, of which 6 are other machines' alone and one of each kind stays for all else; give the machine fewer, or place it on another node")));
        shares.Release("a");
        Assert.That(shares.AssignmentOf("shared")!.Text, Is.EqualTo("/0-2,4-6"), "and back");
        Assert.That(shares.Take("c", Dedicated(2)).Numbers(), Has.Count.EqualTo(2));
    }

    [Test]
    public void One_processor_is_left_for_all_else()
    {
        var shares = new CpuShares(() => [.. Threaded.Take(2)]);
        Assert.Throws<VmNotReadyException>(() => shares.Take("a", Dedicated(2)));
        Assert.That(shares.Take("a", Dedicated(1)).Numbers(), Is.EqualTo((int[])[1]));
        Assert.Throws<VmNotReadyException>(() => shares.Take("b", Dedicated(1)));
        Assert.That(shares.Take("a", Dedicated(1)).Numbers(), Is.EqualTo((int[])[1]), "again is no failure");
    }

    [Test]
    public void On_big_LITTLE_a_machine_has_processors_of_one_kind()
    {
        var shares = new CpuShares(() => BigLittle);
        Assert.That(shares.Take("first", Cpu(2)).List, Is.EqualTo("4-7"), "the fast ones");
        Assert.That(shares.Take("second", Cpu(2)).List, Is.EqualTo("4-7"), "as long as each has one");
        Assert.That(shares.Take("third", Cpu(4)).List, Is.EqualTo("4-7"), "half of a fast one is as much as a slow one");
        Assert.That(shares.Take("fourth", Cpu(4)).List, Is.EqualTo("0-3"), "less is not");
        var refused = Assert.Throws<VmNotReadyException>(() => shares.Take("large", Cpu(5)));
        Assert.That(refused!.Message, Is.EqualTo("5 processors of one kind are wanted, the node has 4 and 4 of each of its kinds; give the machine fewer, or place it on another node"));
    }

    [Test]
    public void On_big_LITTLE_dedicated_ones_are_of_one_kind_and_of_one_cluster_where_that_can_be()
    {
        var shares = new CpuShares(() => BigLittle);
        Assert.That(shares.Take("a", Dedicated(3)).Numbers(), Is.EqualTo((int[])[4, 5, 6]));
        Assert.That(shares.Take("b", Dedicated(2)).Numbers(), Is.EqualTo((int[])[1, 2]), "one fast one is left, and two of both kinds would be none");
        shares.Release("a");
        Assert.That(shares.Take("shared", Cpu(1)).List, Is.EqualTo("4-7"));
        Assert.That(shares.Take("c", Dedicated(2)).Numbers(), Is.EqualTo((int[])[4, 5]));
        Assert.That(shares.Take("d", Dedicated(1)).Numbers(), Is.EqualTo((int[])[6]));
        Assert.That(shares.Take("e", Dedicated(1)).Numbers(), Is.EqualTo((int[])[3]), "the last fast one stays for the machine that shares");
        Assert.That(shares.AssignmentOf("shared")!.Text, Is.EqualTo("/7"));
    }

    [Test]
    public void What_was_written_down_counts_after_a_restart_and_others_are_told_of_what_changes()
    {
        var shares = new CpuShares(() => Threaded);
        var told = 0;
        shares.Changed += () => told++;
        shares.Restore("a", new VmCpus("1,5", 2, IsDedicated: true));
        Assert.That(shares.Take("b", Dedicated(2)).Numbers(), Is.EqualTo((int[])[2, 6]));
        shares.Take("c", Cpu(1));
        Assert.That(told, Is.EqualTo(1));
        shares.Release("c");
        shares.Release("a");
        shares.Release("a");
        Assert.That(told, Is.EqualTo(2));
        Assert.That(shares.AssignmentOf("a"), Is.Null);
    }

    private static VirtualCpuSpec Cpu(int cores) => new() { Cores = cores };

    private static VirtualCpuSpec Dedicated(int cores) => new() { Cores = cores, DedicatedCpuPlacement = true };
}
