using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Tests.Hub;
using EdgeVirt.Node.VirtualMachines;

namespace EdgeVirt.Node.Tests.VirtualMachines;

public sealed class MachineSupportTests
{
    private const string Missing = "qemu-system-x86_64 is not installed; install the package qemu-system-x86";

    [Test]
    public async Task A_node_says_that_it_runs_machines_where_what_they_need_is_installed_and_what_to_install_where_not()
    {
        await using var node = new NodeFixture();
        var source = node.Get<NodeStatusSource>();
        string? missing = Missing;
        var support = new MachineSupport(node.Conditions, () => missing);
        var changes = 0;
        source.Changed += () => Interlocked.Increment(ref changes);

        await support.ReclaimAsync(default);
        var status = await source.ReadAsync(default);
        Assert.That(status.Kinds, Is.EqualTo((string[])["Workload"]));
        var condition = status.Conditions.Single(one => one.Type == ConditionTypes.RunsVirtualMachines);
        Assert.That((condition.Status, condition.Reason, condition.Message), Is.EqualTo((ConditionStatus.False, RunsVirtualMachinesReasons.ProgramMissing, Missing)));
        Assert.That(changes, Is.Positive);

        var before = changes;
        missing = null;
        Assert.That(await support.ReconcileAsync(default), Is.LessThanOrEqualTo(TimeSpan.FromMinutes(1)), "looks again: programs are installed without a word");
        Assert.That((await source.ReadAsync(default)).Kinds, Is.EqualTo((string[])["VirtualMachine", "Workload"]));
        Assert.That(changes, Is.GreaterThan(before), "and the hub is told");
    }
}
