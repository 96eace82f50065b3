using EdgeVirt.Linux;
using EdgeVirt.Node.Tests.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Memory;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Qmp;
using EdgeVirt.Testing;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Memory;

/// <summary>A Linux guest that gives memory and gets it back.</summary>
[Category("root")]
public sealed class BalloonsTests
{
    private const long MiB = 1 << 20;
    private readonly Cgroups cgroups = new();
    private readonly FakeTimeProvider time = new(DateTimeOffset.UnixEpoch.AddYears(60));
    private TempDirectory directory = null!;
    private VmPaths paths = null!;
    private VmProcess? process;
    private string cgroup = null!;
    private long available = 1000 * MiB;

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        File.SetUnixFileMode(directory.Path, File.GetUnixFileMode(directory.Path) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        paths = VmPaths.Of(new NodeOptions { DataDir = directory.Subdirectory("data"), RunDir = directory.Subdirectory("run") }, "router-01234567");
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

    [Test]
    public async Task Gives_memory_to_the_node_when_it_is_short_down_to_its_floor_and_has_it_back_after_a_while()
    {
        if (LinuxGuest.Kernel is not { } kernel)
        {
            Assert.Ignore("there is no kernel for a guest here, and none can be fetched");
            return;
        }

        // All of its memory is the node's loss first.
        LinuxGuest.WriteInitrd(
            directory.Combine("initrd"),
            "bb mount -t tmpfs -o size=100% fill /mnt\nbb dd if=/dev/zero of=/mnt/fill bs=1M count=160 2>/dev/null\nbb rm /mnt/fill\necho FILLED\nwhile true; do echo $(bb grep MemFree /proc/meminfo); bb sleep 1; done");
        await using var monitor = await StartAsync(Guests.Of(boot: new QemuBoot.Kernel(kernel, directory.Combine("initrd"), "console=ttyS0 quiet")));
        await monitor.ExecuteAsync("cont");
        await EventuallyAsync(() => Task.FromResult(Said().Contains("FILLED", StringComparison.Ordinal) && FreeInGuest() > 0), "the guest's memory being touched");
        var (resident, free) = (ResidentBytes(), FreeInGuest());

        var balloons = new Balloons(200 * MiB, () => available, time);
        balloons.Add("router", new BalloonTerms(256 * MiB, 128 * MiB), monitor);
        await balloons.CheckAsync(default);
        Assert.That(balloons.MemoryOf("router"), Is.EqualTo(256 * MiB), "there is enough");

        available = 50 * MiB;
        await EventuallyAsync(
            async () =>
            {
                await balloons.CheckAsync(default);
                return balloons.MemoryOf("router") <= 128 * MiB;
            },
            "the guest giving all that it may");
        Assert.That(balloons.MemoryOf("router"), Is.EqualTo(128 * MiB));
        await EventuallyAsync(() => Task.FromResult(FreeInGuest() < free - (90 << 10) && ResidentBytes() < resident - (90 * MiB)), "the guest having it no more, and the node having it");

        available = 1000 * MiB;
        await balloons.CheckAsync(default);
        await balloons.CheckAsync(default);
        Assert.That(balloons.MemoryOf("router"), Is.EqualTo(128 * MiB), "not at once");
        for (var step = 0; step < 8; step++)
        {
            time.Advance(Balloons.Calm);
            await balloons.CheckAsync(default);
        }

        await EventuallyAsync(
            async () =>
            {
                await balloons.CheckAsync(default);
                return balloons.MemoryOf("router") == 256 * MiB && FreeInGuest() > free - (20 << 10);
            },
            "the guest having it back");
        balloons.Remove("router");
        Assert.That(balloons.MemoryOf("router"), Is.Null);
    }

    [Test]
    public async Task A_QEMU_that_hangs_holds_the_others_up_no_longer_than_it_may_take_to_answer()
    {
        await using var monitor = await StartAsync(Guests.Of());
        var balloons = new Balloons(200 * MiB, () => 0, time);
        balloons.Add("router", new BalloonTerms(256 * MiB, 128 * MiB), monitor);
        Processes.Signal(process!.Identity, 19);
        var began = TimeProvider.System.GetTimestamp();
        await balloons.CheckAsync(default);
        await balloons.CheckAsync(default);
        Assert.That(TimeProvider.System.GetElapsedTime(began), Is.LessThan(TimeSpan.FromSeconds(10)));
        Assert.That(balloons.MemoryOf("router"), Is.Null);
    }

    private string Said() => File.Exists(paths.ConsoleLog) ? File.ReadAllText(paths.ConsoleLog) : "";

    // KiB; the newest line that is whole.
    private long FreeInGuest() =>
        Said().Split('\n').Where(line => line.StartsWith("MemFree:", StringComparison.Ordinal) && line.TrimEnd().EndsWith("kB", StringComparison.Ordinal)).Select(line => long.Parse(line.Split(' ')[1], null)).LastOrDefault();

    private long ResidentBytes() =>
        long.Parse(File.ReadLines($"/proc/{process!.Identity.Pid}/status").Single(line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], null) << 10;

    private async Task<QmpClient> StartAsync(QemuGuest guest)
    {
        var launch = new VmLaunch { Paths = paths, Arguments = QemuCommandLine.For(guest, paths), User = new Unprivileged(Unprivileged.FirstUser + 7), Cgroup = cgroup, MemoryBytes = 512L << 20 };
        var (started, monitor) = await VmProcess.StartAsync(launch, cgroups, TimeProvider.System, default);
        process = started;
        return monitor;
    }

    private static async Task EventuallyAsync(Func<Task<bool>> holds, string what)
    {
        for (var i = 0; i < 600; i++)
        {
            if (await holds())
            {
                return;
            }

            await Task.Delay(100);
        }

        Assert.Fail($"did not come: {what}");
    }
}
