using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Qmp;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Qemu;

/// <summary>A real QEMU, as the agent runs it.</summary>
[Category("root")]
public sealed class VmProcessTests
{
    private const uint User = Unprivileged.FirstUser + 7;
    private readonly Cgroups cgroups = new();
    private TempDirectory directory = null!;
    private VmPaths paths = null!;
    private VmProcess? process;
    private string cgroup = null!;

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        File.SetUnixFileMode(directory.Path, File.GetUnixFileMode(directory.Path) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        var options = new NodeOptions { DataDir = directory.Subdirectory("data"), RunDir = directory.Subdirectory("run") };
        paths = VmPaths.Of(options, "router-01234567");
        cgroup = $"/edgevirt/test-{Environment.ProcessId}/machines/router-01234567";
    }

    [TearDown]
    public async Task TearDown()
    {
        if (process is not null)
        {
            await process.KillAsync(default);
        }

        await VmProcess.RemoveLeftoversAsync(cgroup, cgroups, TimeProvider.System, default);
        cgroups.Remove(Path.GetDirectoryName(cgroup)!);
        cgroups.Remove(Path.GetDirectoryName(Path.GetDirectoryName(cgroup))!);
        directory.Dispose();
    }

    [TestCase(VirtualMachineModel.Q35)]
    [TestCase(VirtualMachineModel.MicroVm)]
    public async Task Runs_as_nobody_in_particular_in_a_group_of_its_own(VirtualMachineModel model)
    {
        await using var monitor = await StartAsync(Guests.Of(model, boot: KernelOrNone(model)), cpuLimit: 0.5m);
        Assert.That((await monitor.ExecuteAsync("query-status")).GetProperty("status").GetString(), Is.EqualTo("prelaunch"));
        Assert.That((await monitor.ExecuteAsync("query-uuid")).GetProperty("UUID").GetString(), Is.EqualTo(Guests.Uuid));

        var pid = process!.Identity.Pid;
        var status = File.ReadAllLines($"/proc/{pid}/status");
        string Field(string name) => status.Single(line => line.StartsWith(name + ":", StringComparison.Ordinal))[(name.Length + 1)..].Trim();
        Assert.That(Field("Uid").Split('\t'), Has.All.EqualTo($"{User}"));
        Assert.That(Field("Gid").Split('\t'), Has.All.EqualTo($"{User}"));
        Assert.That(Field("Groups"), Is.Empty);
        Assert.That((string[])[Field("CapEff"), Field("CapPrm"), Field("CapBnd"), Field("CapInh"), Field("CapAmb")], Has.All.EqualTo("0000000000000000"));
        Assert.That((Field("NoNewPrivs"), Field("Seccomp")), Is.EqualTo(("1", "2")), "filtered");
        Assert.That(Processes.InSession(pid, [pid]), Has.Count.EqualTo(1), "leads a session of its own");
        Assert.That(Processes.IsInCgroup(pid, cgroup));
        Assert.That(cgroups.Processes(cgroup), Is.EqualTo((int[])[pid]));
        Assert.That(File.GetUnixFileMode(paths.RunDirectory), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute));
        Assert.That(File.Exists(paths.Serial) && File.Exists(paths.Agent) && File.Exists(paths.Vnc) == (model != VirtualMachineModel.MicroVm), "its sockets");
        ExpectLimits(512L << 20);

        await process.TerminateAsync(default);
        Assert.That((process.IsAlive, process.ExitCode), Is.EqualTo((false, (int?)0)));
        process.Release(paths);
        Assert.That(Directory.Exists(paths.RunDirectory), Is.False);
        Assert.That(cgroups.Processes(cgroup), Is.Empty);
    }

    [Test]
    public async Task Is_adopted_by_what_was_written_down()
    {
        await using (await StartAsync(Guests.Of()))
        {
        }

        var adopted = await VmProcess.AdoptAsync(process!.Identity, paths, cgroup, cgroups, TimeProvider.System, default);
        Assert.That(adopted?.Process.Identity, Is.EqualTo(process.Identity));
        await using (var monitor = adopted!.Value.Monitor!)
        {
            await monitor.ExecuteAsync("cont");
            Assert.That((await monitor.ExecuteAsync("query-status")).GetProperty("status").GetString(), Is.EqualTo("running"));
        }

        var (pid, start) = process.Identity;
        Assert.That(await VmProcess.AdoptAsync(new ProcessIdentity(pid, start + 1), paths, cgroup, cgroups, TimeProvider.System, default), Is.Null, "another process");
        Assert.That(await VmProcess.AdoptAsync(process.Identity, paths, cgroup + "0", cgroups, TimeProvider.System, default), Is.Null, "not in that group");

        await adopted.Value.Process.KillAsync(default);
        Assert.That(await VmProcess.AdoptAsync(process.Identity, paths, cgroup, cgroups, TimeProvider.System, default), Is.Null, "gone");
        Assert.That(process.ExitCode is null or 137);
    }

    [Test]
    public async Task One_that_hangs_is_adopted_without_a_monitor_and_can_be_killed()
    {
        await using (await StartAsync(Guests.Of()))
        {
        }

        Processes.Signal(process!.Identity, 19);
        var began = TimeProvider.System.GetTimestamp();
        var adopted = await VmProcess.AdoptAsync(process.Identity, paths, cgroup, cgroups, TimeProvider.System, default);
        Assert.That(adopted, Is.Not.Null);
        Assert.That(adopted!.Value.Monitor, Is.Null);
        Assert.That(TimeProvider.System.GetElapsedTime(began), Is.LessThan(TimeSpan.FromSeconds(8)));
        await adopted.Value.Process.KillAsync(default);
    }

    [Test]
    public async Task Leftovers_of_a_group_are_ended()
    {
        await using (await StartAsync(Guests.Of()))
        {
        }

        await VmProcess.RemoveLeftoversAsync(cgroup, cgroups, TimeProvider.System, default);
        Assert.That(process!.IsAlive, Is.False);
    }

    [Test]
    public async Task Says_what_QEMU_says_when_it_does_not_start()
    {
        var guest = Guests.Of() with { Disks = [new QemuDisk("root", "/no/such/disk", DiskFormat.Raw)] };
        var fault = (await Assert.ThrowsAsync<VmStartException>(() => StartAsync(guest)))!;
        Assert.That(fault.Message, Does.Contain("/no/such/disk").And.Contain("No such file or directory"));
        Assert.That(cgroups.Processes(cgroup), Is.Empty);
    }

    [TestCase("run")]
    [TestCase("data")]
    public async Task Names_the_directory_that_its_user_cannot_pass(string closed)
    {
        File.SetUnixFileMode(directory.Combine(closed), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var fault = (await Assert.ThrowsAsync<VmStartException>(() => StartAsync(Guests.Of())))!;
        Assert.That(fault.Message, Does.Contain($"chmod o+x {directory.Combine(closed)})"));
    }

    [Test]
    public async Task Cannot_read_what_is_not_its_own()
    {
        var secret = directory.Combine("data", "secret");
        File.WriteAllText(secret, new string('s', 4096));
        File.SetUnixFileMode(secret, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var fault = (await Assert.ThrowsAsync<VmStartException>(() => StartAsync(Guests.Of() with { Disks = [new QemuDisk("root", secret, DiskFormat.Raw)] })))!;
        Assert.That(fault.Message, Does.Contain("Permission denied"));
    }

    [TestCase(VirtualMachineModel.Q35)]
    [TestCase(VirtualMachineModel.MicroVm)]
    public async Task A_Linux_guest_boots_keeps_its_console_and_ends_by_itself(VirtualMachineModel model)
    {
        if (KernelOrNone(model) is not { } kernel)
        {
            Assert.Ignore("there is no kernel for a guest here, and none can be fetched");
            return;
        }

        LinuxGuest.WriteInitrd(directory.Combine("initrd"), "read line\necho got $line\nbb poweroff -f\nbb sleep 100");
        await using var monitor = await StartAsync(Guests.Of(model, boot: kernel));
        await monitor.ExecuteAsync("cont");
        await Eventually(() => File.ReadAllText(paths.ConsoleLog).Contains(LinuxGuest.Marker, StringComparison.Ordinal), "the marker on the console");

        using (var console = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0))
        {
            await console.ConnectAsync(new System.Net.Sockets.UnixDomainSocketEndPoint(paths.Serial));
            await console.SendAsync("hello\n"u8.ToArray());
            await Eventually(() => File.ReadAllText(paths.ConsoleLog).Contains("got hello", StringComparison.Ordinal), "the answer on the console");
        }

        Assert.That(await process!.EndsWithinAsync(TimeSpan.FromSeconds(30), default), "powers itself off");
        Assert.That(process.ExitCode, Is.EqualTo(0));
        var shutdown = await monitor.Events.ReadAllAsync().FirstAsync(happened => happened.Name == "SHUTDOWN");
        Assert.That((shutdown.Flag("guest"), shutdown.Text("reason")), Is.EqualTo((true, "guest-shutdown")));
    }

    [TestCase(VirtualMachineModel.Q35, 1)]
    [TestCase(VirtualMachineModel.Q35, 4)]
    [TestCase(VirtualMachineModel.MicroVm, 1)]
    public async Task A_guest_that_uses_all_of_its_memory_stays_within_the_allowance(VirtualMachineModel model, int cores)
    {
        if (KernelOrNone(model) is not { } kernel)
        {
            Assert.Ignore("there is no kernel for a guest here, and none can be fetched");
            return;
        }

        LinuxGuest.WriteInitrd(directory.Combine("initrd"), "bb mount -t tmpfs -o size=100% fill /mnt\nbb dd if=/dev/zero of=/mnt/fill bs=1M count=170\necho FILLED\nbb sleep 1000");
        var guest = Guests.Of(model, cores, kernel);
        await using var monitor = await StartAsync(guest, memory: QemuOverhead.Total(guest));
        await monitor.ExecuteAsync("cont");
        await Eventually(() => File.ReadAllText(paths.ConsoleLog).Contains("FILLED", StringComparison.Ordinal), "the guest's memory being full");

        var overhead = ResidentBytes() - (256L << 20);
        await TestContext.Out.WriteLineAsync($"{model} with {cores}: {overhead >> 20} MiB beside the guest's memory (or more, as far as that was not touched), {QemuOverhead.Of(guest) >> 20} MiB granted");
        Assert.That(overhead, Is.LessThan(QemuOverhead.Of(guest)));
        Assert.That((process!.IsAlive, process.RanOutOfMemory), Is.EqualTo((true, false)));
    }

    private QemuBoot.Kernel? KernelOrNone(VirtualMachineModel model) =>
        LinuxGuest.Kernel is { } kernel ? new QemuBoot.Kernel(kernel, InitrdIfMade, model == VirtualMachineModel.MicroVm ? "console=ttyS0 quiet reboot=t" : "console=ttyS0 quiet") : null;

    private string? InitrdIfMade => directory.Combine("initrd");

    private long ResidentBytes() =>
        long.Parse(File.ReadLines($"/proc/{process!.Identity.Pid}/status").Single(line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], null) << 10;

    private void ExpectLimits(long memory)
    {
        if (cgroups.Layout == CgroupLayout.Unified)
        {
            Assert.That(File.ReadAllText($"/sys/fs/cgroup{cgroup}/memory.max").Trim(), Is.EqualTo($"{memory}"));
            Assert.That(File.ReadAllText($"/sys/fs/cgroup{cgroup}/cpu.max").Trim(), Is.EqualTo("50000 100000"));
        }
        else
        {
            Assert.That(File.ReadAllText($"/sys/fs/cgroup/memory{cgroup}/memory.limit_in_bytes").Trim(), Is.EqualTo($"{memory}"));
            Assert.That(File.ReadAllText($"/sys/fs/cgroup/cpu{cgroup}/cpu.cfs_quota_us").Trim(), Is.EqualTo("50000"));
        }
    }

    private async Task<QmpClient> StartAsync(QemuGuest guest, decimal? cpuLimit = null, long memory = 512L << 20)
    {
        if (!File.Exists(directory.Combine("initrd")))
        {
            LinuxGuest.WriteInitrd(directory.Combine("initrd"), "bb sleep 1000");
        }

        // As VmPreparation does; without it a microvm on a busy machine stands still now and then.
        var told = guest with { Acceleration = guest.Acceleration with { TscKilohertz = await TimeStampCounter.KilohertzAsync(default) } };
        var launch = new VmLaunch
        {
            Paths = paths,
            Arguments = QemuCommandLine.For(told, paths),
            User = new Unprivileged(User),
            Cgroup = cgroup,
            MemoryBytes = memory,
            CpuLimit = cpuLimit,
        };
        var (started, monitor) = await VmProcess.StartAsync(launch, cgroups, TimeProvider.System, default);
        process = started;
        return monitor;
    }

    private static async Task Eventually(Func<bool> holds, string what)
    {
        for (var i = 0; i < 1200; i++)
        {
            if (holds())
            {
                return;
            }

            await Task.Delay(50);
        }

        Assert.Fail($"did not come: {what}");
    }
}
