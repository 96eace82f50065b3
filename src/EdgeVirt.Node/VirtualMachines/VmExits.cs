using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>How runs of machines end, and what comes after. Pure.</summary>
internal static class VmExits
{
    public const string Stopped = "Stopped";
    public const string Hung = "MonitorHung";
    public const string TpmLost = "TpmLost";
    public const string WatchdogExpired = "WatchdogExpired";
    private const int Failure = 1;
    private const int Unknown = 255;

    /// <summary>How a run ended that nobody saw end.</summary>
    public static ContainerExit Lost(DateTimeOffset at) => new()
    {
        Code = Unknown, Reason = "Lost", Message = "it ended while nobody watched: the node was switched off, or QEMU was killed", FinishedAt = at,
    };

    /// <summary>How a run ended whose QEMU had to be killed because it did not answer.</summary>
    public static ContainerExit HungUp(string why, DateTimeOffset at) => new() { Code = Unknown, Reason = Hung, Message = why, FinishedAt = at };

    /// <summary>How a run ended whose TPM ended before it.</summary>
    public static ContainerExit WithoutTpm(DateTimeOffset at) => new()
    {
        Code = Unknown, Reason = TpmLost, Message = "swtpm, which emulates its TPM, ended; swtpm.log beside its disks may say why", FinishedAt = at,
    };

    /// <summary>How a run ended whose guest no longer fed its watchdog.</summary>
    public static ContainerExit Unfed(DateTimeOffset at) => new()
    {
        Code = Failure, Reason = WatchdogExpired, Message = "the guest no longer fed its watchdog, and was switched off; its serial console may say why", FinishedAt = at,
    };

    /// <summary>How a run ended.</summary>
    /// <param name="code">Exit code of QEMU; null: not known.</param>
    /// <param name="happened">What it said before.</param>
    /// <param name="outOfMemory">The kernel ended it.</param>
    /// <param name="wasAsked">It was to end.</param>
    /// <param name="at">When.</param>
    public static ContainerExit Of(int? code, VmHappenings? happened, bool outOfMemory, bool wasAsked, DateTimeOffset at) =>
        outOfMemory ? new() { Code = 137, Signal = "SIGKILL", Reason = "OOMKilled", Message = "guest and QEMU took more memory than was granted", FinishedAt = at }
        : happened is { IsPanicked: true } ? new() { Code = Failure, Reason = "GuestPanicked", Message = "the guest's kernel gave up; its serial console says why", FinishedAt = at }
        : wasAsked ? new() { Code = 0, Reason = Stopped, FinishedAt = at }
        : happened?.ShutdownReason is "guest-shutdown" ? new() { Code = 0, Reason = "Completed", Message = "the guest switched itself off", FinishedAt = at }
        : happened?.ShutdownReason is { } reason and not "host-error" ? new() { Code = code ?? Unknown, Reason = "Error", Message = $"QEMU ended: {reason}", FinishedAt = at }
        : code is { } known and not 0 ? new() { Code = known, Reason = "Error", Message = $"QEMU ended with exit code {known}; its log on the node says why", FinishedAt = at }
        : Lost(at) with { Code = code ?? Unknown };

    /// <summary>Whether a machine that ended is started again.</summary>
    public static bool Restarts(RestartPolicy policy, ContainerExit exit) => exit.Reason == Stopped || policy switch
    {
        RestartPolicy.Always => true,
        RestartPolicy.OnFailure => exit.Code != 0,
        _ => false,
    };

    /// <summary>Runs that ended soon, after this one.</summary>
    public static int FailuresAfter(VmRecord record, ContainerExit exit) =>
        exit.Reason == Stopped ? 0
        : record.Run is { } run && exit.FinishedAt - run.StartedAt >= RestartBackoff.LongRun ? 1
        : record.Failures + 1;

    /// <summary>When the next run may begin. A machine takes longer to start than a container: the shortest wait is a second.</summary>
    public static DateTimeOffset DueAfter(VmRecord record, DateTimeOffset now)
    {
        if (record is not { LastExit: { } exit, Failures: > 1 })
        {
            return now;
        }

        var wait = TimeSpan.FromSeconds(Math.Min(Math.Pow(2, Math.Min(record.Failures - 2, 20)), RestartBackoff.Most.TotalSeconds));
        var due = (exit.FinishedAt ?? now) + wait;
        return due > now + wait ? now + wait : due;
    }
}
