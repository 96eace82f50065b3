using System.Globalization;
using System.Runtime.InteropServices;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.VirtualMachines.Consoles;
using EdgeVirt.Node.VirtualMachines.Cpus;
using EdgeVirt.Node.VirtualMachines.Memory;
using EdgeVirt.Node.VirtualMachines.Qmp;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Node.VirtualMachines.Qemu;

/// <summary>How one QEMU is to run.</summary>
internal sealed record VmLaunch
{
    public required VmPaths Paths { get; init; }

    /// <summary>Of QEMU; see <see cref="QemuCommandLine"/>.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    public required Unprivileged User { get; init; }

    /// <summary>Control group of this machine alone, below the root.</summary>
    public required string Cgroup { get; init; }

    /// <summary>Most memory that guest and QEMU take together, bytes.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Most CPU time, in cores; null: no limit.</summary>
    public decimal? CpuLimit { get; init; }

    /// <summary>Most memory that VFIO may pin, bytes; null: the agent's own limit.</summary>
    public long? LockedBytes { get; init; }

    /// <summary>Starts what QEMU needs beside it, once its directories and its control group are there.</summary>
    public Func<CancellationToken, Task>? Beside { get; init; }

    /// <summary>The links of its network cards, in their order; see <see cref="QemuNic.FirstDescriptor"/>.</summary>
    public IReadOnlyList<SafeFileHandle> Taps { get; init; } = [];

    /// <summary>The kernel's servers of its network cards; see <see cref="QemuNic.FirstVhostDescriptor"/>.</summary>
    public IReadOnlyList<SafeFileHandle> Vhosts { get; init; } = [];

    /// <summary>Processors of the node that it begins on; null: any.</summary>
    public CpuAssignment? Cpus { get; init; }

    /// <summary>Huge pages that its memory is made of; null: none.</summary>
    public VmHugePages? HugePages { get; init; }

    /// <summary>Starts QEMU in the network that its links are in; null: in the agent's own.</summary>
    public Func<Func<ProcessIdentity>, ProcessIdentity>? Inside { get; init; }
}

/// <summary>
/// One QEMU that runs on when the agent ends. What is known of it is its process and the control group that is its alone; the
/// caller writes both down, and <see cref="AdoptAsync"/> finds it again by them.
/// </summary>
internal sealed class VmProcess
{
    private const int Terminate = 15;
    private const int Kill = 9;
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Passable = Owner | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan KillTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(2);

    private readonly Cgroups cgroups;
    private readonly string cgroup;
    private readonly TimeProvider time;
    private int? exitCode;
    private bool hasEnded;

    private VmProcess(Cgroups cgroups, string cgroup, ProcessIdentity identity, TimeProvider time) =>
        (this.cgroups, this.cgroup, Identity, this.time) = (cgroups, cgroup, identity, time);

    public ProcessIdentity Identity { get; }

    /// <summary>Whether it runs. Once it does not, <see cref="ExitCode"/> may be known.</summary>
    public bool IsAlive
    {
        get
        {
            if (!hasEnded && LastingProcess.HasEnded(Identity, out var code))
            {
                (hasEnded, exitCode) = (true, code);
            }

            return !hasEnded;
        }
    }

    /// <summary>How it ended; 128 + signal where a signal ended it. Null: it runs, or another run of the agent started it.</summary>
    public int? ExitCode => IsAlive ? null : exitCode;

    /// <summary>Whether the kernel ended it for want of memory.</summary>
    public bool RanOutOfMemory => cgroups.OutOfMemoryKills(cgroup) > 0;

    /// <summary>Starts QEMU, puts it into its limits and waits until its monitor answers; the guest stands still until <c>cont</c>.</summary>
    /// <exception cref="VmStartException">QEMU did not start; the message has what it said.</exception>
    public static async Task<(VmProcess Process, QmpClient Monitor)> StartAsync(VmLaunch launch, Cgroups cgroups, TimeProvider time, CancellationToken ct)
    {
        VmProcess process;
        try
        {
            Prepare(launch, cgroups);
            await (launch.Beside?.Invoke(ct) ?? Task.CompletedTask);
            var identity = launch.Inside is { } inside ? inside(() => Launch(launch)) : Launch(launch);
            process = new VmProcess(cgroups, launch.Cgroup, identity, time);
            if (!cgroups.Enter(identity.Pid, launch.Cgroup) && process.IsAlive)
            {
                await process.KillAsync(CancellationToken.None);
                throw new VmStartException($"QEMU cannot be put into the control group {launch.Cgroup}");
            }

            if (launch.Cpus is { } cpus)
            {
                cgroups.Confine(identity.Pid, launch.Cgroup, CpuList.Format(cpus.Begin));
            }

            // The agent's own protection from the kernel's out-of-memory killer is not for its guests.
            Processes.SetOomScoreAdjustment(identity.Pid, Math.Max(0, Processes.OwnOomScoreAdjustment));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VmStartException(e.Message, e);
        }

        try
        {
            return (process, await process.ConnectAsync(launch, ct));
        }
        catch
        {
            await process.KillAsync(CancellationToken.None);
            throw;
        }
    }

    /// <summary>Takes over a QEMU that an earlier run of the agent started, without touching its guest.</summary>
    /// <param name="identity">As it was written down.</param>
    /// <param name="paths">Where its monitor is.</param>
    /// <param name="cgroup">The group that is its alone.</param>
    /// <param name="cgroups">Where it is.</param>
    /// <param name="time">Measures the waits.</param>
    /// <param name="ct">Gives up.</param>
    /// <returns>Null: it is gone. Without a monitor: it runs and does not answer.</returns>
    public static async Task<(VmProcess Process, QmpClient? Monitor)?> AdoptAsync(
        ProcessIdentity identity, VmPaths paths, string cgroup, Cgroups cgroups, TimeProvider time, CancellationToken ct)
    {
        // Start times repeat from boot to boot; a process that is not in the group is somebody else's.
        if (!Processes.IsAlive(identity) || !Processes.IsInCgroup(identity.Pid, cgroup))
        {
            return null;
        }

        var process = new VmProcess(cgroups, cgroup, identity, time);
        try
        {
            return (process, await QmpClient.ConnectAsync(paths.Qmp, QmpLimits.Default, time, ct));
        }
        catch (QmpException)
        {
            return process.IsAlive ? (process, null) : null;
        }
    }

    /// <summary>Ends what runs in a machine's control group, whoever started it, and removes the group.</summary>
    public static async Task RemoveLeftoversAsync(string cgroup, Cgroups cgroups, TimeProvider time, CancellationToken ct)
    {
        var left = cgroups.Processes(cgroup).Select(Processes.Identify).OfType<ProcessIdentity>().ToList();
        foreach (var process in left)
        {
            await new VmProcess(cgroups, cgroup, process, time).KillAsync(ct);
        }

        cgroups.Remove(cgroup);
    }

    /// <summary>Ends it at once, as a power cut would.</summary>
    /// <exception cref="IOException">It does not end.</exception>
    public Task KillAsync(CancellationToken ct) => EndAsync(Kill, ct);

    /// <summary>Ends QEMU in order: what the guest has written is on its disks afterwards, but the guest is not asked.</summary>
    /// <exception cref="IOException">It does not end.</exception>
    public Task TerminateAsync(CancellationToken ct) => EndAsync(Terminate, ct);

    /// <summary>Whether it has ended within some time.</summary>
    public async Task<bool> EndsWithinAsync(TimeSpan limit, CancellationToken ct)
    {
        var began = time.GetTimestamp();
        var wait = Pause;
        while (IsAlive)
        {
            if (time.GetElapsedTime(began) > limit)
            {
                return false;
            }

            await Task.Delay(wait, time, ct);
            wait = wait < TimeSpan.FromMilliseconds(200) ? wait * 2 : wait;
        }

        return true;
    }

    /// <summary>Removes what is left of it once it ended: its group and its sockets.</summary>
    public void Release(VmPaths paths)
    {
        cgroups.Remove(cgroup);
        if (Directory.Exists(paths.RunDirectory))
        {
            Directory.Delete(paths.RunDirectory, recursive: true);
        }
    }

    private static ProcessIdentity Launch(VmLaunch launch) =>
        launch.Cpus is { } cpus ? CpuAffinity.Run(cpus.Begin, () => Spawn(launch)) : Spawn(launch);

    private static ProcessIdentity Spawn(VmLaunch launch) => LastingProcess.Start(
        launch.LockedBytes is null ? QemuPrograms.SetPriv : QemuPrograms.PrLimit,
        [
            .. launch.LockedBytes is { } bytes ? (string[])[string.Create(CultureInfo.InvariantCulture, $"--memlock={bytes}:{bytes}"), QemuPrograms.SetPriv] : [],
            .. launch.User.SetPriv(QemuPrograms.Qemu, launch.Arguments),
        ],
        launch.Paths.QemuLog,
        [
            .. launch.Taps.Select((tap, i) => ((SafeHandle)tap, QemuNic.FirstDescriptor + i)),
            .. launch.Vhosts.Select((vhost, i) => ((SafeHandle)vhost, QemuNic.FirstVhostDescriptor + i)),
        ]);

    private static void Prepare(VmLaunch launch, Cgroups cgroups)
    {
        var paths = launch.Paths;
        var user = launch.User.User;
        Directory.CreateDirectory(paths.DataDirectory, Passable);
        Directory.CreateDirectory(Path.GetDirectoryName(paths.RunDirectory)!, Passable);
        Passage.Require(paths.DataDirectory);
        Passage.Require(Path.GetDirectoryName(paths.RunDirectory)!);
        if (Directory.Exists(paths.RunDirectory))
        {
            Directory.Delete(paths.RunDirectory, recursive: true);
        }

        Directory.CreateDirectory(paths.RunDirectory, Owner);
        Ownership.Set(paths.RunDirectory, user, user);
        ConsoleSpool.Ensure(paths, user);
        cgroups.Make(launch.Cgroup);
        cgroups.LimitMemory(launch.Cgroup, launch.MemoryBytes + (launch.HugePages is { } counted && cgroups.CountsHugePages ? counted.Bytes : 0));
        cgroups.ForbidSwap(launch.Cgroup);
        cgroups.LimitCpu(launch.Cgroup, launch.CpuLimit);
        if (launch.HugePages is { } pages)
        {
            cgroups.LimitHugePages(launch.Cgroup, pages.PageBytes, pages.Bytes);
        }
    }

    private async Task<QmpClient> ConnectAsync(VmLaunch launch, CancellationToken ct)
    {
        var began = time.GetTimestamp();
        while (true)
        {
            try
            {
                return await QmpClient.ConnectAsync(launch.Paths.Qmp, QmpLimits.Default, time, ct);
            }
            catch (QmpException e)
            {
                if (!IsAlive)
                {
                    throw new VmStartException(Said(launch.Paths.QemuLog), e);
                }

                if (e.Fault != QmpFault.Closed || time.GetElapsedTime(began) > StartTimeout + (launch.HugePages?.Patience ?? TimeSpan.Zero))
                {
                    throw new VmStartException($"QEMU runs, but its monitor does not answer: {e.Message}. {Said(launch.Paths.QemuLog)}", e);
                }
            }

            await Task.Delay(Pause, time, ct);
        }
    }

    private string Said(string log)
    {
        const int Tail = 1000;
        var said = File.Exists(log) ? File.ReadAllText(log).Trim() : "";
        said = said.Length > Tail ? "…" + said[^Tail..] : said;
        return said.Length > 0 ? said : exitCode is { } code ? $"QEMU ended with exit code {code} and said nothing" : "QEMU said nothing";
    }

    private async Task EndAsync(int signal, CancellationToken ct)
    {
        if (IsAlive && Processes.Signal(Identity, signal) && !await EndsWithinAsync(KillTimeout, ct))
        {
            throw new IOException($"QEMU (process {Identity.Pid}) does not end by signal {signal}; it may wait for a disk that does not answer");
        }
    }
}
