using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Tests.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Qmp;
using EdgeVirt.Node.VirtualMachines.Snapshots;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Snapshots;

/// <summary>Snapshots of a Linux guest that runs and counts on two disks.</summary>
[Category("root")]
public sealed partial class RealSnapshotsTests
{
    // What is on the disks is said when the guest begins; then the same number goes to both disks, synced, again and again.
    private const string Counting =
        """
        read_at() { bb dd if=$1 bs=512 count=1 2>/dev/null | bb tr -d '\000' | bb head -n 1; }
        a=$(read_at /dev/vda); b=$(read_at /dev/vdb)
        echo "FOUND ${a:-0} ${b:-0}."
        n=${a:-0}
        while :; do
          n=$((n+1))
          printf '%s\n' $n | bb dd of=/dev/vda bs=512 conv=sync,fsync,notrunc 2>/dev/null
          printf '%s\n' $n | bb dd of=/dev/vdb bs=512 conv=sync,fsync,notrunc 2>/dev/null
          echo "N $n $(bb cat /sys/block/vdb/size)."
        done
        """;

    private TempDirectory directory = null!;
    private NodeOptions options = null!;
    private MachineAgent agent = null!;
    private ShiftedTime clock = null!;

    private string Host => directory.Combine("host.netns");

    [SetUp]
    public async Task SetUp()
    {
        if (LinuxGuest.Kernel is not { } kernel)
        {
            Assert.Ignore("there is no kernel for a guest here, and none can be fetched");
            return;
        }

        directory = new TempDirectory();
        File.SetUnixFileMode(directory.Path, File.GetUnixFileMode(directory.Path) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        options = new NodeOptions { DataDir = directory.Subdirectory("data"), RunDir = directory.Subdirectory("run") };
        Directory.CreateDirectory(directory.Combine("layer", "boot"));
        Directory.CreateDirectory(directory.Combine("layer", "disk"));
        File.Copy(kernel, directory.Combine("layer", "boot", "vmlinuz"));
        LinuxGuest.WriteInitrd(directory.Combine("layer", "boot", "initrd"), Counting);
        Command.Run("qemu-img", "create", "-q", "-f", "qcow2", directory.Combine("layer", "disk", "disk.qcow2"), "16M");
        File.WriteAllText(
            directory.Combine("run", "acceleration.json"), $$$"""{"bootId":"{{{SystemFacts.BootId}}}","result":{"cpuModel":null,"reason":"KvmUnproven","message":"not asked"}}""");
        NetworkNamespaces.Create(Host);
        clock = new ShiftedTime();
        agent = await NewAgentAsync();
    }

    [TearDown]
    public async Task TearDown()
    {
        if (agent is null)
        {
            return;
        }

        await agent.DisposeAsync();
        foreach (var record in agent.Records.All)
        {
            await VmProcess.RemoveLeftoversAsync(agent.Tools.CgroupOf(record), agent.Cgroups, TimeProvider.System, default);
        }

        agent.Cgroups.Remove($"{agent.Tools.CgroupParent}/machines");
        agent.Cgroups.Remove(agent.Tools.CgroupParent);
        NetworkNamespaces.Delete(Host);
        directory.Dispose();
    }

    [Test]
    public async Task A_guest_goes_back_to_the_second_of_three_that_were_taken_while_it_ran()
    {
        await StartAsync();
        List<(int Before, int After)> taken = [];
        foreach (var name in (string[])["one", "two", "three"])
        {
            await CountsAsync(3);
            var before = LastNumber();
            var snapshot = await AskAsync(owner => owner.SnapshotAsync(name));
            Assert.That(snapshot.Disks.Select(disk => disk.Name), Is.EqualTo((string[])["data", "root"]));
            await CountsAsync(1);
            taken.Add((before, LastNumber()));
        }

        Assert.That(agent.Records.All.Single().Restarts, Is.Zero, "it ran all the time");
        await agent.DisposeAsync();
        agent = await NewAgentAsync();
        await agent.Reconciler.ReconcileAsync(default);
        await CountsAsync(2);
        Assert.That(agent.Records.All.Single().Restarts, Is.Zero, "and was adopted with its layers");

        await AskAsync(async owner =>
        {
            await owner.RestoreAsync("two", keepPresent: true);
            return true;
        });
        var (root, data) = await FoundAsync(1);
        Assert.That(root, Is.InRange(taken[1].Before, taken[1].After));
        Assert.That(data, Is.InRange(root - 1, root), "both disks are of one moment");
        Assert.That((await StateAsync()).Snapshots.Select(snapshot => snapshot.Name), Is.EqualTo((string[])["one", "two", "three", "before-restore"]));
    }

    [Test]
    public async Task Layers_of_deleted_ones_are_merged_while_the_guest_goes_on()
    {
        await StartAsync();
        foreach (var name in (string[])["one", "two", "three"])
        {
            await CountsAsync(2);
            await AskAsync(owner => owner.SnapshotAsync(name));
        }

        await CountsAsync(2);
        await AskAsync(owner => owner.RequestAsync((all, _, _) =>
        {
            all.Delete("one");
            all.Delete("two");
            return Task.FromResult(true);
        }));
        await agent.UntilAsync("counter", _ => Layers("data") == 2 && Layers("root") == 2);
        await CountsAsync(2);
        var last = LastNumber();
        // A layer is mounted by nobody but QEMU, which has let go of what was merged.
        var pid = agent.Records.All.Single().Run!.Pid;
        Assert.That(Directory.GetFiles($"/proc/{pid}/fd").Select(file => File.ResolveLinkTarget(file, false)?.FullName ?? ""), Has.None.Contains("(deleted)").And.None.Match(@"disks/data\.1$"));
        Command.Run("kill", "-KILL", $"{pid}");
        var (root, data) = await FoundAsync(1);
        Assert.That(root, Is.GreaterThanOrEqualTo(last));
        Assert.That(data, Is.InRange(root - 1, root));
        Assert.That((await StateAsync()).Snapshots.Single().Name, Is.EqualTo("three"));
    }

    // 0: layers made and opened by QEMU; 1: written down as whole, QEMU not told; 2: QEMU told, its answer not written down.
    [TestCase(0, false)]
    [TestCase(1, false)]
    [TestCase(2, true)]
    public async Task What_an_agent_began_that_was_killed_is_settled_by_the_next_one(int step, bool isTaken)
    {
        await StartAsync();
        await CountsAsync(2);
        var record = agent.Records.All.Single();
        var paths = VmPaths.Of(options, record.Id);
        await agent.DisposeAsync();
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

        agent = await NewAgentAsync();
        await agent.Reconciler.ReconcileAsync(default);
        await agent.Reconciler.SettledAsync();
        Assert.That((await StateAsync()).Snapshots.Select(snapshot => snapshot.Phase), Is.EqualTo(isTaken ? (SnapshotPhase[])[SnapshotPhase.Taken] : []));
        Assert.That(Layers("root"), Is.EqualTo(isTaken ? 2 : 1));
        await CountsAsync(2);
        await AskAsync(owner => owner.SnapshotAsync("next"));
        await CountsAsync(2);
        var last = LastNumber();
        Command.Run("kill", "-KILL", $"{agent.Records.All.Single().Run!.Pid}");
        Assert.That((await FoundAsync(1)).Root, Is.GreaterThanOrEqualTo(last), "nothing that was synced is lost");
    }

    [Test]
    public async Task An_export_while_the_guest_runs_has_what_the_snapshot_has()
    {
        await StartAsync();
        await CountsAsync(3);
        var before = LastNumber();
        await AskAsync(owner => owner.SnapshotAsync("backup"));
        var after = LastNumber() + 1;
        var target = directory.Combine("out.qcow2");
        using (var reading = await AskAsync(owner => owner.RequestAsync((all, monitor, ct) => all.ReadAsync("backup", "data", monitor, ct))))
        {
            await reading.WriteAsync(default);
            File.Move(reading.Path, target);
        }

        await CountsAsync(2);
        Command.Run("qemu-img", "check", "-q", target);
        Command.Run("qemu-img", "convert", "-O", "raw", target, directory.Combine("out.raw"));
        var content = File.ReadLines(directory.Combine("out.raw")).First().TrimEnd('\0');
        Assert.That(int.Parse(content, null), Is.InRange(before - 1, after));
    }

    [Test]
    public async Task The_schedule_takes_them_keeps_the_newest_and_a_leap_of_the_clock_takes_one()
    {
        var schedule = new SnapshotScheduleSpec { IntervalSeconds = 600, Keep = 2 };
        await StartAsync(schedule);
        await CountsAsync(1);
        Assert.That((await StateAsync()).Snapshots, Is.Empty);
        await MineAsync();
        List<string> seen = [];
        for (var i = 0; i < 4; i++)
        {
            clock.Pass(TimeSpan.FromMinutes(11));
            await agent.UntilAsync("counter", _ => Scheduled().Any(name => !seen.Contains(name)));
            seen.AddRange(Scheduled().Where(name => !seen.Contains(name)));
        }

        Assert.That(seen, Has.Count.EqualTo(4));
        Assert.That(Scheduled(), Is.EqualTo(seen[^2..]));
        clock.Leap(TimeSpan.FromDays(3650));
        clock.Pass(TimeSpan.FromMinutes(6));
        await agent.UntilAsync("counter", _ => Scheduled().Any(name => !seen.Contains(name)));
        seen.AddRange(Scheduled().Where(name => !seen.Contains(name)));
        await CountsAsync(1);
        Assert.That(seen, Has.Count.EqualTo(5));
        var status = await agent.UntilAsync("counter", now => now.Conditions.Is(ConditionTypes.SnapshotsTaken, ConditionStatus.True, SnapshotsTakenReasons.Taken));
        Assert.That(status.RestartCount, Is.Zero);
        Assert.That(SnapshotStore.Read(Paths()).Snapshots.Select(snapshot => snapshot.Name), Does.Contain("mine"));

        async Task MineAsync() => await AskAsync(owner => owner.SnapshotAsync("mine"));

        List<string> Scheduled() => [.. SnapshotStore.Read(Paths()).Snapshots.Where(snapshot => snapshot is { IsScheduled: true, Phase: SnapshotPhase.Taken }).Select(snapshot => snapshot.Name)];
    }

    [Test]
    public async Task A_disk_grows_while_the_guest_runs_also_over_a_snapshot_and_never_shrinks()
    {
        await StartAsync();
        await CountsAsync(1);
        await agent.DesireAsync(2, Machine(null, "12Mi", 2));
        await UntilSaidAsync($" {12 << 11}.");
        await AskAsync(owner => owner.SnapshotAsync("a"));
        await agent.DesireAsync(3, Machine(null, "20Mi", 3));
        await UntilSaidAsync($" {20 << 11}.");
        await agent.DesireAsync(4, Machine(null, "10Mi", 4));
        var status = await agent.UntilAsync("counter", now => now.Conditions.Is(ConditionTypes.DisksSized, ConditionStatus.False, DisksSizedReasons.CannotShrink));
        Assert.That(status.RestartCount, Is.Zero);
        await agent.DesireAsync(5, Machine(null, "20Mi", 5));
        await agent.UntilAsync("counter", now => now.Conditions.All(condition => condition.Type != ConditionTypes.DisksSized));
    }

    [Test]
    public async Task A_disk_past_the_page_cache_stays_so_over_a_snapshot()
    {
        var machine = Machine(null, "8Mi", 1);
        await agent.DesireAsync(1, machine with
        {
            Spec = machine.Spec with { Disks = [machine.Spec.Disks![0], machine.Spec.Disks[1] with { Cache = VirtualDiskCache.None, Discard = VirtualDiskDiscard.Ignore }] },
        });
        await UntilSaidAsync("FOUND 0 0.");
        Assert.That(IsDirect("data"), Is.EqualTo((bool[])[true]));
        Assert.That(IsDirect("root"), Is.EqualTo((bool[])[false]));
        await CountsAsync(1);
        await AskAsync(owner => owner.SnapshotAsync("a"));
        await CountsAsync(2);
        Assert.That(IsDirect("data"), Is.EqualTo((bool[])[true, true]), "the layer that the guest writes to now too");
    }

    // By the flags of the files that QEMU has open of a disk (proc(5), fdinfo; O_DIRECT of x86-64 and others).
    private bool[] IsDirect(string disk)
    {
        const int Direct = 0x4000;
        var pid = agent.Records.All.Single().Run!.Pid;
        return
        [
            .. Directory.GetFiles($"/proc/{pid}/fd").Where(file => Path.GetFileName(new FileInfo(file).LinkTarget ?? "") is { } name && (name == disk || name.StartsWith(disk + ".", StringComparison.Ordinal)))
                .Select(file => File.ReadLines($"/proc/{pid}/fdinfo/{Path.GetFileName(file)}").Single(line => line.StartsWith("flags:", StringComparison.Ordinal)))
                .Select(line => (Convert.ToInt32(line.Split('\t')[1], 8) & Direct) != 0),
        ];
    }

    private VmPaths Paths() => VmPaths.Of(options, agent.Records.All.Single().Id);

    private async Task<MachineAgent> NewAgentAsync()
    {
        var made = new MachineAgent(options, new OneImage(directory.Combine("layer")), Host, clock);
        await made.Network.RecoverAsync([], default);
        return made;
    }

    private async Task StartAsync(SnapshotScheduleSpec? schedule = null)
    {
        await agent.DesireAsync(1, Machine(schedule, "8Mi", 1));
        await UntilSaidAsync("FOUND 0 0.");
    }

    private static DesiredVirtualMachine Machine(SnapshotScheduleSpec? schedule, string size, long generation) => new()
    {
        Name = "counter",
        Uid = "01234567-counter",
        Generation = generation,
        Spec = new VirtualMachineSpec
        {
            TerminationGracePeriodSeconds = 0,
            Acceleration = VirtualMachineAcceleration.Preferred,
            Memory = new VirtualMemorySpec { Size = Guests.QuantityOf("256Mi") },
            Boot = new VirtualMachineBoot { Kernel = new DirectKernelSpec { Image = "registry.example/vm:1", Kernel = "/boot/vmlinuz", Initrd = "boot/initrd", CommandLine = "console=ttyS0 quiet" } },
            Disks =
            [
                new VirtualDiskSpec { Name = "root", Image = new DiskImageSource { Reference = "registry.example/vm:1" } },
                new VirtualDiskSpec { Name = "data", Empty = new EmptyDiskSource(), Size = Guests.QuantityOf(size) },
            ],
            Interfaces = [],
            Snapshots = schedule,
        },
    };

    // The loop runs while the owner is asked.
    private async Task<T> AskAsync<T>(Func<VmOwner, Task<T>> ask)
    {
        var owner = agent.Reconciler.Find("counter");
        var asked = ask(owner);
        agent.Reconciler.Ask(owner);
        while (!asked.IsCompleted)
        {
            await agent.Reconciler.ReconcileAsync(agent.Token);
            await Task.WhenAny(asked, Task.Delay(20));
        }

        return await asked;
    }

    private async Task<SnapshotState> StateAsync()
    {
        await agent.Reconciler.SettledAsync();
        return SnapshotStore.Read(Paths());
    }

    private int Layers(string disk) => Directory.GetFiles(Path.GetDirectoryName(Paths().Disk(disk))!).Count(file => Path.GetFileName(file).Split('.')[0] == disk && !file.EndsWith(".json", StringComparison.Ordinal));

    private string Said() => File.Exists(Paths().ConsoleLog) ? File.ReadAllText(Paths().ConsoleLog) : "";

    private int LastNumber() => Said().Split('\n').Where(line => line.StartsWith("N ", StringComparison.Ordinal) && line.TrimEnd().EndsWith('.')).Select(line => int.Parse(line.Split(' ')[1], null)).LastOrDefault();

    private async Task CountsAsync(int more)
    {
        var from = LastNumber();
        await UntilAsync(() => LastNumber() >= from + more, "the guest does not count");
    }

    // What the guest found on its disks at a start; 0 is the first.
    private async Task<(int Root, int Data)> FoundAsync(int start)
    {
        await UntilAsync(() => Found().Count > start, "the guest does not begin again");
        var words = Found()[start].TrimEnd('.', '\r').Split(' ');
        return (int.Parse(words[1], null), int.Parse(words[2], null));
    }

    private List<string> Found() => [.. Said().Split('\n').Select(line => line.TrimEnd('\r')).Where(line => line.StartsWith("FOUND ", StringComparison.Ordinal) && line.EndsWith('.'))];

    private Task UntilSaidAsync(string text) => UntilAsync(() => agent.Records.All.Count > 0 && Said().Contains(text, StringComparison.Ordinal), $"the guest never says {text}");

    private async Task UntilAsync(Func<bool> satisfied, string why)
    {
        for (var i = 0; i < 2000; i++)
        {
            await agent.Reconciler.ReconcileAsync(agent.Token);
            if (satisfied())
            {
                return;
            }

            await Task.Delay(30);
        }

        throw new TimeoutException($"{why}: {(agent.Records.All.Count > 0 ? Said() : "it never began")}");
    }

    /// <summary>The system's time, and what a test adds: time that passes is counted too, a leap of the clock is not.</summary>
    private sealed class ShiftedTime : TimeProvider
    {
        private long passed;
        private long leapt;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => (Environment.TickCount64 * TimeSpan.TicksPerMillisecond) + Volatile.Read(ref passed);

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow().AddTicks(Volatile.Read(ref passed) + Volatile.Read(ref leapt));

        public void Pass(TimeSpan time) => Interlocked.Add(ref passed, time.Ticks);

        public void Leap(TimeSpan time) => Interlocked.Add(ref leapt, time.Ticks);
    }

    private sealed class OneImage(string layer) : IContainerImages
    {
        public Task<StoredImage> EnsureAsync(ImageReference reference, ImagePullPolicy policy, CancellationToken ct) =>
            Task.FromResult(new StoredImage("sha256:" + new string('0', 64), new ImageConfig(), [layer]));

        public Task CollectGarbageAsync(IReadOnlySet<string> manifestDigestsInUse, CancellationToken ct) => Task.CompletedTask;
    }
}
