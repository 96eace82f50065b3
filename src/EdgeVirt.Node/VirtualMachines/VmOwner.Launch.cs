using EdgeVirt.Linux;
using EdgeVirt.Node.VirtualMachines.Devices;
using EdgeVirt.Node.VirtualMachines.Memory;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Qmp;
using EdgeVirt.Node.VirtualMachines.Suspend;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>Starts a machine whose parts are all on the node: takes what it needs of the node, starts QEMU, writes down what runs.</summary>
internal sealed partial class VmOwner
{
    private async Task LaunchAsync(QemuGuest prepared, VmOrder order, CancellationToken ct)
    {
        using var pages = await tools.HugePages.EnterAsync(prepared, ct);
        using var vhosts = OpenVhosts(prepared);
        var guest = prepared with { Nics = vhosts.Nics };
        var cpus = tools.Cpus.Take(record!.Id, guest.Spec.Cpu);
        var paths = VmPaths.Of(tools.Options, record.Id);
        var starting = record = tools.Devices.Take(record, order.Machine.Spec, guest.HostDevices, paths);
        var saved = starting.Saved;
        guest = saved is null ? guest : guest with { Acceleration = guest.Acceleration with { TscKilohertz = saved.Setting.TscKilohertz } };
        var arguments = QemuCommandLine.For(guest, paths);
        var launch = new VmLaunch
        {
            Paths = paths,
            Arguments = saved is null ? arguments : [.. arguments, "-incoming", "defer"],
            User = new Unprivileged(starting.User, guest.Acceleration.Kvm ? KvmDevice.Group() : null),
            Cgroup = tools.CgroupOf(starting),
            MemoryBytes = QemuOverhead.Total(guest),
            CpuLimit = guest.Spec.Cpu?.Limit?.Value,
            LockedBytes = guest.HostDevices.Any(device => device is HostDevice.Pci) ? QemuOverhead.Total(guest) + QemuOverhead.MappedByVfio : null,
            Vhosts = vhosts.Files,
            Cpus = BeginsOn(starting),
            HugePages = VmHugePages.Of(guest),
        };
        ProcessIdentity? tpm = null;
        if (guest.Spec.Tpm is not null)
        {
            launch = launch with { Beside = async token => tpm = await TpmEmulator.StartAsync(paths, starting.User, launch.Cgroup, tools.Cgroups, tools.Time, token) };
        }

        // Of a run that was cut short between its start and its record.
        await VmProcess.RemoveLeftoversAsync(launch.Cgroup, tools.Cgroups, tools.Time, ct);
        var (started, monitor) = await ConnectedAsync(starting, launch, ct);
        var setting = GuestSetting.Of(guest, arguments, monitor.Version);
        if (saved is not null)
        {
            await ResumeAsync(starting, saved, (started, monitor), setting, ct);
        }

        process = started;
        watch = new VmWatch(monitor, Wake);
        record = tools.Records.Put(starting with
        {
            Run = new VmRun(started.Identity.Pid, started.Identity.StartTime, tools.Time.GetUtcNow(), order.Machine.Generation, launch.MemoryBytes, GraceOf(order), !guest.Acceleration.Kvm)
            {
                Setting = setting,
                Tpm = tpm,
                Cpus = cpus,
                Balloon = BalloonOf(guest),
            },
            StopAsked = null,
            // Before its guest runs on: what is saved fits its disks no longer then.
            Saved = null,
            Restarts = starting.LastExit is null || saved is not null ? starting.Restarts : starting.Restarts + 1,
        });
        File.Delete(paths.SavedMemory);
        if (saved is not null)
        {
            ExpectClockBehind();
        }
    }

    private async Task<(VmProcess Process, QmpClient Monitor)> ConnectedAsync(VmRecord starting, VmLaunch launch, CancellationToken ct)
    {
        var taps = await tools.Network.ConnectAsync(starting, ct);
        try
        {
            var started = await VmProcess.StartAsync(launch with { Taps = taps, Inside = tools.Network.Inside }, tools.Cgroups, tools.Time, ct);
            await PlaceAsync(started, launch.Cgroup, launch.Cpus, ct);
            return started;
        }
        catch
        {
            await tools.Network.DisconnectAsync(starting, CancellationToken.None);
            // What was started beside it.
            await VmProcess.RemoveLeftoversAsync(launch.Cgroup, tools.Cgroups, tools.Time, CancellationToken.None);
            throw;
        }
        finally
        {
            // QEMU has its own by now; with the last of them the links go.
            foreach (var tap in taps)
            {
                tap.Dispose();
            }
        }
    }
}
