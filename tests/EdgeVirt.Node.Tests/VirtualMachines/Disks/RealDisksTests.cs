using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Tests.VirtualMachines.Snapshots;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Disks;

/// <summary>Disks of a Linux guest that runs and counts on them.</summary>
[Category("root")]
public sealed class RealDisksTests
{
    private CountingGuest guest = null!;

    [SetUp]
    public async Task SetUp() => guest = await CountingGuest.BoardAsync();

    [TearDown]
    public async Task TearDown() => await (guest?.DisposeAsync() ?? ValueTask.CompletedTask);

    [Test]
    public async Task A_disk_grows_while_the_guest_runs_also_over_a_snapshot_and_never_shrinks()
    {
        await guest.StartAsync();
        await guest.CountsAsync(1);
        await guest.Board.DesireAsync(CountingGuest.Machine(null, "12Mi", 2));
        await guest.UntilSaidAsync($" {12 << 11}.");
        await guest.AskAsync(owner => owner.SnapshotAsync("a"));
        await guest.Board.DesireAsync(CountingGuest.Machine(null, "20Mi", 3));
        await guest.UntilSaidAsync($" {20 << 11}.");
        await guest.Board.DesireAsync(CountingGuest.Machine(null, "10Mi", 4));
        var status = await guest.Agent.UntilAsync(CountingGuest.Name, now => now.Conditions.Is(ConditionTypes.DisksSized, ConditionStatus.False, DisksSizedReasons.CannotShrink));
        Assert.That(status.RestartCount, Is.Zero);
        await guest.Board.DesireAsync(CountingGuest.Machine(null, "20Mi", 5));
        await guest.Agent.UntilAsync(CountingGuest.Name, now => now.Conditions.All(condition => condition.Type != ConditionTypes.DisksSized));
    }

    [Test]
    public async Task A_disk_past_the_page_cache_stays_so_over_a_snapshot()
    {
        var machine = CountingGuest.Machine(null, "8Mi", 1);
        await guest.Board.DesireAsync(machine with
        {
            Spec = machine.Spec with { Disks = [machine.Spec.Disks![0], machine.Spec.Disks[1] with { Cache = VirtualDiskCache.None, Discard = VirtualDiskDiscard.Ignore }] },
        });
        await guest.UntilSaidAsync("FOUND 0 0.");
        Assert.That(IsDirect("data"), Is.EqualTo((bool[])[true]));
        Assert.That(IsDirect("root"), Is.EqualTo((bool[])[false]));
        await guest.CountsAsync(1);
        await guest.AskAsync(owner => owner.SnapshotAsync("a"));
        await guest.CountsAsync(2);
        Assert.That(IsDirect("data"), Is.EqualTo((bool[])[true, true]), "the layer that the guest writes to now too");
    }

    // By the flags of the files that QEMU has open of a disk (proc(5), fdinfo; O_DIRECT of x86-64 and others).
    private bool[] IsDirect(string disk)
    {
        const int Direct = 0x4000;
        var pid = guest.Board.Record.Run!.Pid;
        return
        [
            .. Directory.GetFiles($"/proc/{pid}/fd").Where(file => Path.GetFileName(new FileInfo(file).LinkTarget ?? "") is { } name && (name == disk || name.StartsWith(disk + ".", StringComparison.Ordinal)))
                .Select(file => File.ReadLines($"/proc/{pid}/fdinfo/{Path.GetFileName(file)}").Single(line => line.StartsWith("flags:", StringComparison.Ordinal)))
                .Select(line => (Convert.ToInt32(line.Split('\t')[1], 8) & Direct) != 0),
        ];
    }
}
