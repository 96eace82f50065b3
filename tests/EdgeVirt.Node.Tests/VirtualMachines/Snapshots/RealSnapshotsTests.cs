using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Qmp;
using EdgeVirt.Node.VirtualMachines.Snapshots;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Snapshots;

/// <summary>Snapshots of a Linux guest that runs and counts on two disks.</summary>
[Category("root")]
public sealed class RealSnapshotsTests
{
    private CountingGuest guest = null!;

    [SetUp]
    public async Task SetUp() => guest = await CountingGuest.BoardAsync();

    [TearDown]
    public async Task TearDown() => await (guest?.DisposeAsync() ?? ValueTask.CompletedTask);

    [Test]
    public async Task A_guest_goes_back_to_the_second_of_three_that_were_taken_while_it_ran()
    {
        await guest.StartAsync();
        List<(int Before, int After)> taken = [];
        foreach (var name in (string[])["one", "two", "three"])
        {
            await guest.CountsAsync(3);
            var before = guest.LastNumber();
            var snapshot = await guest.AskAsync(owner => owner.SnapshotAsync(name));
            Assert.That(snapshot.Disks.Select(disk => disk.Name), Is.EqualTo((string[])["data", "root"]));
            await guest.CountsAsync(1);
            taken.Add((before, guest.LastNumber()));
        }

        Assert.That(guest.Board.Record.Restarts, Is.Zero, "it ran all the time");
        await guest.Board.RestartAsync();
        await guest.CountsAsync(2);
        Assert.That(guest.Board.Record.Restarts, Is.Zero, "and was adopted with its layers");

        await guest.AskAsync(async owner =>
        {
            await owner.RestoreAsync("two", keepPresent: true);
            return true;
        });
        var (root, data) = await guest.FoundAsync(1);
        Assert.That(root, Is.InRange(taken[1].Before, taken[1].After));
        Assert.That(data, Is.InRange(root - 1, root), "both disks are of one moment");
        Assert.That((await guest.StateAsync()).Snapshots.Select(snapshot => snapshot.Name), Is.EqualTo((string[])["one", "two", "three", "before-restore"]));
    }

    [Test]
    public async Task Layers_of_deleted_ones_are_merged_while_the_guest_goes_on()
    {
        await guest.StartAsync();
        foreach (var name in (string[])["one", "two", "three"])
        {
            await guest.CountsAsync(2);
            await guest.AskAsync(owner => owner.SnapshotAsync(name));
        }

        await guest.CountsAsync(2);
        await guest.AskAsync(owner => owner.RequestAsync((all, _, _) =>
        {
            all.Delete("one");
            all.Delete("two");
            return Task.FromResult(true);
        }));
        await guest.Agent.UntilAsync(CountingGuest.Name, _ => guest.Layers("data") == 2 && guest.Layers("root") == 2);
        await guest.CountsAsync(2);
        var last = guest.LastNumber();
        // A layer is mounted by nobody but QEMU, which has let go of what was merged.
        var pid = guest.Board.Record.Run!.Pid;
        Assert.That(Directory.GetFiles($"/proc/{pid}/fd").Select(file => File.ResolveLinkTarget(file, false)?.FullName ?? ""), Has.None.Contains("(deleted)").And.None.Match(@"disks/data\.1$"));
        Command.Run("kill", "-KILL", $"{pid}");
        var (root, data) = await guest.FoundAsync(1);
        Assert.That(root, Is.GreaterThanOrEqualTo(last));
        Assert.That(data, Is.InRange(root - 1, root));
        Assert.That((await guest.StateAsync()).Snapshots.Single().Name, Is.EqualTo("three"));
    }

    // 0: layers made and opened by QEMU; 1: written down as whole, QEMU not told; 2: QEMU told, its answer not written down.
    [TestCase(0, false)]
    [TestCase(1, false)]
    [TestCase(2, true)]
    public async Task What_an_agent_began_that_was_killed_is_settled_by_the_next_one(int step, bool isTaken)
    {
        await guest.StartAsync();
        await guest.CountsAsync(2);
        await guest.Board.RestartAsync(() => BeginAsync(step));
        Assert.That((await guest.StateAsync()).Snapshots.Select(snapshot => snapshot.Phase), Is.EqualTo(isTaken ? (SnapshotPhase[])[SnapshotPhase.Taken] : []));
        Assert.That(guest.Layers("root"), Is.EqualTo(isTaken ? 2 : 1));
        await guest.CountsAsync(2);
        await guest.AskAsync(owner => owner.SnapshotAsync("next"));
        await guest.CountsAsync(2);
        var last = guest.LastNumber();
        Command.Run("kill", "-KILL", $"{guest.Board.Record.Run!.Pid}");
        Assert.That((await guest.FoundAsync(1)).Root, Is.GreaterThanOrEqualTo(last), "nothing that was synced is lost");
    }

    [Test]
    public async Task An_export_while_the_guest_runs_has_what_the_snapshot_has()
    {
        await guest.StartAsync();
        await guest.CountsAsync(3);
        var before = guest.LastNumber();
        await guest.AskAsync(owner => owner.SnapshotAsync("backup"));
        var after = guest.LastNumber() + 1;
        var target = guest.Board.Combine("out.qcow2");
        using (var reading = await guest.AskAsync(owner => owner.RequestAsync((all, monitor, ct) => all.ReadAsync("backup", "data", monitor, ct))))
        {
            await reading.WriteAsync(default);
            File.Move(reading.Path, target);
        }

        await guest.CountsAsync(2);
        Command.Run("qemu-img", "check", "-q", target);
        Command.Run("qemu-img", "convert", "-O", "raw", target, guest.Board.Combine("out.raw"));
        var content = File.ReadLines(guest.Board.Combine("out.raw")).First().TrimEnd('\0');
        Assert.That(int.Parse(content, null), Is.InRange(before - 1, after));
    }

    [Test]
    public async Task The_schedule_takes_them_keeps_the_newest_and_a_leap_of_the_clock_takes_one()
    {
        var schedule = new SnapshotScheduleSpec { IntervalSeconds = 600, Keep = 2 };
        await guest.StartAsync(schedule);
        await guest.CountsAsync(1);
        Assert.That((await guest.StateAsync()).Snapshots, Is.Empty);
        await MineAsync();
        List<string> seen = [];
        for (var i = 0; i < 4; i++)
        {
            guest.Clock.Pass(TimeSpan.FromMinutes(11));
            await guest.Agent.UntilAsync(CountingGuest.Name, _ => Scheduled().Any(name => !seen.Contains(name)));
            seen.AddRange(Scheduled().Where(name => !seen.Contains(name)));
        }

        Assert.That(seen, Has.Count.EqualTo(4));
        Assert.That(Scheduled(), Is.EqualTo(seen[^2..]));
        guest.Clock.Leap(TimeSpan.FromDays(3650));
        guest.Clock.Pass(TimeSpan.FromMinutes(6));
        await guest.Agent.UntilAsync(CountingGuest.Name, _ => Scheduled().Any(name => !seen.Contains(name)));
        seen.AddRange(Scheduled().Where(name => !seen.Contains(name)));
        await guest.CountsAsync(1);
        Assert.That(seen, Has.Count.EqualTo(5));
        var status = await guest.Agent.UntilAsync(CountingGuest.Name, now => now.Conditions.Is(ConditionTypes.SnapshotsTaken, ConditionStatus.True, SnapshotsTakenReasons.Taken));
        Assert.That(status.RestartCount, Is.Zero);
        Assert.That(guest.Snapshots.Snapshots.Select(snapshot => snapshot.Name), Does.Contain("mine"));

        async Task MineAsync() => await guest.AskAsync(owner => owner.SnapshotAsync("mine"));

        List<string> Scheduled() => [.. guest.Snapshots.Snapshots.Where(snapshot => snapshot is { IsScheduled: true, Phase: SnapshotPhase.Taken }).Select(snapshot => snapshot.Name)];
    }

    // As far as the step, as the agent does, which is not there.
    private async Task BeginAsync(int step)
    {
        var record = guest.Board.Record;
        var paths = guest.Board.Paths;
        var disks = MachineDisks.All(paths);
        var state = SnapshotTree.Begun(SnapshotState.None, new VmSnapshot { Name = "cut", CreatedAt = DateTimeOffset.UnixEpoch, Phase = SnapshotPhase.Making, Disks = [] }, disks);
        SnapshotStore.Write(paths, state);
        await using (var monitor = await QmpClient.ConnectAsync(paths.Qmp, QmpLimits.Default, TimeProvider.System, default))
        {
            foreach (var disk in disks)
            {
                await SnapshotFiles.MakeAsync(paths.Layer(disk.Name, 1), new DiskFile(paths.Disk(disk.Name), disk.Format), disk.VirtualBytes, new Unprivileged(record.User), default);
                await LiveDisks.OpenAsync(monitor, DiskNodes.Of(disk.Name, 1), paths.Layer(disk.Name, 1), DiskPolicy.Default, default);
            }

            if (step >= 1)
            {
                SnapshotStore.Write(paths, SnapshotTree.Made(state, state.Find("cut")!));
            }

            if (step >= 2)
            {
                await LiveDisks.SwitchAsync(monitor, disks.Select(disk => (DiskNodes.Of(disk.Name, 0), DiskNodes.Of(disk.Name, 1))), default);
            }
        }
    }
}
