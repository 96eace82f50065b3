using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.VirtualMachines.Qemu;

namespace EdgeVirt.Node.VirtualMachines.Devices;

/// <summary>
/// The swtpm of a machine: it runs as its QEMU does, as the same user and in the same control group, goes on when the agent ends, and ends when QEMU
/// does. What it keeps lies beside the disks and is the machine's as long as there is one.
/// </summary>
internal static class TpmEmulator
{
    /// <summary>Within this time of each other QEMU and swtpm end where one of them ended in order.</summary>
    public static readonly TimeSpan Parting = TimeSpan.FromSeconds(2);

    private const int Kill = 9;
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const string LoadedProfiles = "/sys/kernel/security/apparmor/profiles";
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    /// <summary>Refuses a machine with a TPM where there is no swtpm.</summary>
    /// <exception cref="VmNotReadyException">It is not installed.</exception>
    public static void Require()
    {
        try
        {
            _ = QemuPrograms.Swtpm;
        }
        catch (VmStartException e)
        {
            throw new VmNotReadyException(new VmProblem(ReadyReasons.TpmMissing, $"the machine wants a TPM: {e.Message}, or leave spec.tpm out"));
        }
    }

    /// <summary>Starts it and waits until QEMU can speak to it.</summary>
    /// <param name="paths">Of the machine; its run directory is there.</param>
    /// <param name="user">As whom its QEMU runs.</param>
    /// <param name="cgroup">The machine's group, which is there.</param>
    /// <param name="cgroups">Where it is.</param>
    /// <param name="time">Measures the waits.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="VmStartException">It did not start; the message has what it said.</exception>
    public static async Task<ProcessIdentity> StartAsync(VmPaths paths, uint user, string cgroup, Cgroups cgroups, TimeProvider time, CancellationToken ct)
    {
        if (paths.TpmState.Contains(',', StringComparison.Ordinal) || paths.Tpm.Contains(',', StringComparison.Ordinal))
        {
            throw new VmStartException($"swtpm takes no path with a comma in it ({paths.TpmState}); choose other directories for the agent");
        }

        Directory.CreateDirectory(paths.TpmState, Owner);
        Ownership.Set(paths.TpmState, user, user);
        var process = LastingProcess.Start(
            QemuPrograms.SetPriv,
            [.. Unconfined(), .. new Unprivileged(user).SetPriv(
                QemuPrograms.Swtpm,
                ["socket", "--tpm2", "--tpmstate", $"dir={paths.TpmState},mode=0600", "--ctrl", $"type=unixio,path={paths.Tpm},mode=0600", "--terminate"])],
            paths.TpmLog);
        if (!cgroups.Enter(process.Pid, cgroup) && !HasEnded(process))
        {
            Processes.Signal(process, Kill);
            throw new VmStartException($"swtpm cannot be put into the control group {cgroup}");
        }

        Processes.SetOomScoreAdjustment(process.Pid, Math.Max(0, Processes.OwnOomScoreAdjustment));
        var began = time.GetTimestamp();
        while (!File.Exists(paths.Tpm))
        {
            if (HasEnded(process) || time.GetElapsedTime(began) > StartTimeout)
            {
                await EndAsync(process, cgroup, time);
                throw new VmStartException($"swtpm, which emulates its TPM, did not start: {File.ReadAllText(paths.TpmLog).Trim()}");
            }

            await Task.Delay(Pause, time, ct);
        }

        return process;
    }

    /// <summary>Whether it ended.</summary>
    public static bool HasEnded(ProcessIdentity process) => !Processes.IsAlive(process);

    /// <summary>Sees it end after its QEMU; one that does not is killed.</summary>
    /// <param name="process">Which.</param>
    /// <param name="cgroup">The machine's: start times repeat from boot to boot, and a process that is not in the group is somebody else's.</param>
    /// <param name="time">Measures the waits.</param>
    /// <exception cref="IOException">It does not end.</exception>
    public static async Task EndAsync(ProcessIdentity process, string cgroup, TimeProvider time)
    {
        if (Processes.IsAlive(process) && !Processes.IsInCgroup(process.Pid, cgroup))
        {
            return;
        }

        var began = time.GetTimestamp();
        var killed = false;
        while (!LastingProcess.HasEnded(process, out _))
        {
            if (!killed && time.GetElapsedTime(began) > Parting)
            {
                Processes.Signal(process, Kill);
                killed = true;
            }

            if (time.GetElapsedTime(began) > Parting + StartTimeout)
            {
                throw new IOException($"swtpm (process {process.Pid}) does not end");
            }

            await Task.Delay(Pause, time);
        }
    }

    // Debian's profile of it allows libvirt's directories alone. What confines it here is its user, without capabilities, and its own seccomp filter.
    private static string[] Unconfined() =>
        File.Exists(LoadedProfiles) && File.ReadLines(LoadedProfiles).Any(line => line.StartsWith("swtpm ", StringComparison.Ordinal) || line.StartsWith("/usr/bin/swtpm ", StringComparison.Ordinal))
            ? ["--apparmor-profile", "unconfined"]
            : [];
}
