using System.Diagnostics;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Qmp;
using EdgeVirt.Testing;

namespace EdgeVirt.Benchmarks;

/// <summary>
/// From the call until QMP says <c>running</c>, and until Debian's kernel has started its init: ours, as a user of its own, in a control
/// group, adoptable; beside the same QEMU with the same arguments, started by hand as root. In turns, medians. Then the memory that QEMU
/// takes beside its guest's, by smaps. Under KVM where that is proven on the machine, else emulated.
/// </summary>
internal static class VmStartBench
{
    private const int Warm = 1;
    private const int Runs = 9;
    private const uint User = Unprivileged.FirstUser + 11;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(1);

    private static readonly Quantity Memory = Quantity.TryParse("128Mi", out var size) ? size : throw new InvalidOperationException("128Mi");

    public static async Task<BenchResult> RunAsync()
    {
        var kernel = LinuxGuest.Kernel ?? throw new InvalidOperationException("there is no kernel for a guest here, and none can be fetched: run ./dev setup bench with the package registry in reach");
        using var directory = new TempDirectory();
        File.SetUnixFileMode(directory.Path, File.GetUnixFileMode(directory.Path) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        var options = new NodeOptions { DataDir = directory.Subdirectory("data"), RunDir = directory.Subdirectory("run") };
        using var probe = new AccelerationProbe(options);
        var acceleration = await probe.FindAsync(default);
        Console.WriteLine(acceleration.IsKvm ? "under KVM" : $"emulated: {acceleration.Message}");
        var initrd = directory.Combine("initrd");
        LinuxGuest.WriteInitrd(initrd, "bb sleep 100000");
        File.Copy(kernel, directory.Combine("vmlinuz"));
        Command.Run("chmod", "0644", initrd, directory.Combine("vmlinuz"));
        var guest = new QemuGuest
        {
            Name = "bench",
            Uuid = "5f0c8a4e-1d2b-8c3d-9e4f-0a1b2c3d4e5f",
            Spec = new VirtualMachineSpec { Machine = VirtualMachineModel.MicroVm, Memory = new VirtualMemorySpec { Size = Memory } },
            Boot = new QemuBoot.Kernel(directory.Combine("vmlinuz"), initrd, "console=ttyS0 reboot=t panic=-1"),
            Acceleration = acceleration.Best with { TscKilohertz = acceleration.IsKvm ? null : await TimeStampCounter.KilohertzAsync(default) },
        };

        var (ours, hand) = (new List<Sample>(), new List<Sample>());
        for (var turn = 0; turn < Warm + Runs; turn++)
        {
            foreach (var (samples, run) in ((List<Sample>, Func<QemuGuest, VmPaths, Task<Sample>>)[])[(ours, OursAsync), (hand, HandRunAsync)])
            {
                var sample = await run(guest, VmPaths.Of(options, $"bench-{turn}-{samples == ours}"));
                if (turn >= Warm)
                {
                    samples.Add(sample);
                }
            }
        }

        Print("ours", ours);
        Print("by hand", hand);
        return new BenchResult(
            "vm-start",
            ("overhead_ms", Median(ours, s => s.Running) - Median(hand, s => s.Running)),
            ("overhead_ratio", Median(ours, s => s.Marker) / Median(hand, s => s.Marker)),
            ("rss_over_mb", Median(ours, s => s.MemoryOver) / (1 << 20)),
            ("rss_over_mb_by_hand", Median(hand, s => s.MemoryOver) / (1 << 20)),
            ("ours_running_ms", Median(ours, s => s.Running)),
            ("ours_marker_ms", Median(ours, s => s.Marker)),
            ("kvm", acceleration.IsKvm ? 1 : 0));
    }

    private static async Task<Sample> OursAsync(QemuGuest guest, VmPaths paths)
    {
        var cgroups = new Cgroups();
        var cgroup = $"/edgevirt-bench-{Environment.ProcessId}/machines/{Path.GetFileName(paths.DataDirectory)}";
        var launch = new VmLaunch
        {
            Paths = paths,
            Arguments = QemuCommandLine.For(guest, paths),
            User = new Unprivileged(User, guest.Acceleration.Kvm ? KvmDevice.Group() : null),
            Cgroup = cgroup,
            MemoryBytes = QemuOverhead.Total(guest),
        };
        var began = Stopwatch.GetTimestamp();
        var (process, monitor) = await VmProcess.StartAsync(launch, cgroups, TimeProvider.System, default);
        try
        {
            await using (monitor)
            {
                return await FollowAsync(monitor, began, process.Identity.Pid, paths);
            }
        }
        finally
        {
            await process.KillAsync(default);
            process.Release(paths);
            cgroups.Remove(Path.GetDirectoryName(cgroup)!);
            cgroups.Remove(Path.GetDirectoryName(Path.GetDirectoryName(cgroup))!);
        }
    }

    private static async Task<Sample> HandRunAsync(QemuGuest guest, VmPaths paths)
    {
        Directory.CreateDirectory(paths.DataDirectory);
        Directory.CreateDirectory(paths.RunDirectory);
        Directory.CreateDirectory(paths.ConsoleDirectory);
        var began = Stopwatch.GetTimestamp();
        using var process = Process.Start(new ProcessStartInfo(QemuPrograms.Qemu, QemuCommandLine.For(guest, paths)))!;
        try
        {
            await using var monitor = await ConnectAsync(paths, process);
            return await FollowAsync(monitor, began, process.Id, paths);
        }
        finally
        {
            process.Kill();
            process.WaitForExit();
        }
    }

    // As impatient as ours, which asks every 2 ms.
    private static async Task<QmpClient> ConnectAsync(VmPaths paths, Process process)
    {
        while (true)
        {
            try
            {
                return await QmpClient.ConnectAsync(paths.Qmp, QmpLimits.Default, TimeProvider.System, default);
            }
            catch (QmpException e) when (e.Fault == QmpFault.Closed && !process.HasExited)
            {
                await Task.Delay(Pause);
            }
        }
    }

    private static async Task<Sample> FollowAsync(QmpClient monitor, long began, int pid, VmPaths paths)
    {
        await monitor.ExecuteAsync("cont");
        var status = await monitor.ExecuteAsync("query-status");
        if (status.GetProperty("status").GetString() is not "running" and var other)
        {
            throw new InvalidOperationException($"QEMU says '{other}' instead of running");
        }

        var running = Stopwatch.GetElapsedTime(began);
        while (!File.Exists(paths.ConsoleLog) || !File.ReadAllText(paths.ConsoleLog).Contains(LinuxGuest.Marker, StringComparison.Ordinal))
        {
            if (Stopwatch.GetElapsedTime(began) > Patience)
            {
                throw new TimeoutException($"the guest did not come up within {Patience.TotalSeconds} s; it said: {File.ReadAllText(paths.ConsoleLog)}");
            }

            await Task.Delay(Pause);
        }

        return new Sample(running.TotalMilliseconds, Stopwatch.GetElapsedTime(began).TotalMilliseconds, ProcessMemory.ResidentBeside(pid, (long)Memory.Value));
    }

    private static void Print(string name, List<Sample> samples) => Console.WriteLine(
        $"{name,-8} running: median {Median(samples, s => s.Running),7:F1} ms, best {samples.Min(s => s.Running),7:F1}, worst {samples.Max(s => s.Running),7:F1}   "
        + $"guest's init: median {Median(samples, s => s.Marker),8:F1} ms, best {samples.Min(s => s.Marker),8:F1}   "
        + $"beside the guest's memory: {Median(samples, s => s.MemoryOver) / (1 << 20):F1} MiB   ({samples.Count} runs)");

    private static double Median(List<Sample> samples, Func<Sample, double> figure) => Samples.Median(samples.Select(figure));

    private sealed record Sample(double Running, double Marker, double MemoryOver);
}
