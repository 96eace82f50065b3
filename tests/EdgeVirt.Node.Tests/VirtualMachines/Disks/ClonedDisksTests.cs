using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Tests.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Disks;

/// <summary>Machines that begin with a copy of another one's disk, each a Linux guest that says what it finds on it and then writes its own.</summary>
[Category("root")]
public sealed class ClonedDisksTests
{
    private const string Script =
        """
        n=0
        echo "FOUND $(bb head -n 1 /dev/vda | bb tr -d '\000')."
        w=$(bb sed 's/.*write=\([a-z]*\).*/\1/' /proc/cmdline)
        while :; do n=$((n+1)); echo "$w" | bb dd of=/dev/vda bs=512 conv=sync,fsync,notrunc 2>/dev/null; echo "WROTE $w $n."; bb sleep 1; done
        """;

    private GuestBoard board = null!;

    [SetUp]
    public async Task SetUp() => board = await GuestBoard.StartLinuxAsync(Script);

    [TearDown]
    public async Task TearDown() => await (board?.DisposeAsync() ?? ValueTask.CompletedTask);

    [Test]
    public async Task A_copy_has_what_the_snapshot_or_the_moment_has_while_the_first_one_goes_on()
    {
        await board.DesireAsync(Machine("first", "one"));
        await UntilSaidAsync("first", "FOUND .", "WROTE one 2.");
        await SnapshotAsync("first", "a");
        await board.DesireAsync(Machine("first", "one"), Machine("second", "two", "first", "a"), Machine("third", "three", "first"));
        await UntilSaidAsync("second", "FOUND one.", "WROTE two 1.");
        await UntilSaidAsync("third", "FOUND one.", "WROTE three 1.");
        Assert.That(Record("first").Restarts, Is.Zero);
        var snapshots = await board.Agent.Reconciler.AskAsync("first", owner => owner.RequestAsync((all, _, _) => Task.FromResult(all.List())), default);
        Assert.That(snapshots.Items.Select(snapshot => snapshot.Name), Is.EqualTo((string[])["a"]), "what was taken for the copy alone is gone");

        // A copy lives by itself: the first one may go.
        await board.DesireAsync(Machine("second", "two", "first", "a"));
        await board.Agent.UntilGoneAsync("first");
        await board.RestartAsync();
        await board.DesireAsync(Machine("second", "four", "first", "a", VirtualMachinePower.Stopped));
        await board.Agent.UntilAsync("second", status => status.State == VirtualMachineState.Stopped);
        await board.DesireAsync(Machine("second", "four", "first", "a"));
        await UntilSaidAsync("second", "FOUND two.", "WROTE four 1.");
    }

    [Test]
    public async Task What_is_not_there_is_said_and_waited_for_and_two_that_wait_for_each_other_never_hang()
    {
        await board.DesireAsync(Machine("left", "l", "right"), Machine("right", "r", "left"), Machine("copy", "c", "first", "never"));
        foreach (var (name, of) in ((string, string)[])[("left", "right"), ("right", "left"), ("copy", "first")])
        {
            var status = await board.Agent.UntilAsync(name, now => now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.ReferenceMissing));
            Assert.That(status.Conditions.Single(condition => condition.Type == ConditionTypes.Ready).Message, Does.Contain($"'{of}'").And.Contain("start that one first"));
        }

        await board.DesireAsync(Machine("first", "one"), Machine("copy", "c", "first", "never"));
        await UntilSaidAsync("first", "FOUND .", "WROTE one 1.");
        var refused = await board.Agent.UntilAsync("copy", now => now.Conditions.Any(condition => condition.Message?.Contains("no snapshot 'never'", StringComparison.Ordinal) == true));
        Assert.That(refused.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.ReferenceMissing));
        await SnapshotAsync("first", "never");
        await UntilSaidAsync("copy", "FOUND one.");
    }

    private VmRecord Record(string name) => board.Agent.Records.All.Single(record => record.Name == name);

    private Task<LocalSnapshot> SnapshotAsync(string machine, string name) => board.AskAsync(machine, owner => owner.SnapshotAsync(name));

    private Task UntilSaidAsync(string machine, params string[] texts) => board.UntilAsync(
        () => board.Agent.Records.All.Any(record => record is { Run: not null } && record.Name == machine)
            && Array.TrueForAll(texts, text => board.ConsoleOf(machine).Contains(text, StringComparison.Ordinal)),
        $"it says {string.Join(" and ", texts)}",
        machine);

    private static DesiredVirtualMachine Machine(string name, string writes, string? of = null, string? snapshot = null, VirtualMachinePower? power = null) => GuestBoard.Machine(
        name,
        spec => spec with
        {
            Power = power,
            Memory = new VirtualMemorySpec { Size = Guests.QuantityOf("128Mi") },
            Display = new VirtualDisplaySpec { Type = VirtualDisplayType.None },
            Boot = GuestBoard.Boot(commandLine: $"console=ttyS0 quiet write={writes} end"),
            Disks =
            [
                of is null
                    ? new VirtualDiskSpec { Name = "root", Empty = new EmptyDiskSource(), Size = Guests.QuantityOf("8Mi") }
                    : new VirtualDiskSpec { Name = "root", CloneOf = new DiskCloneSource { Machine = of, Disk = "root", Snapshot = snapshot } },
            ],
        },
        writes.Length + (power is null ? 0 : 100));
}
