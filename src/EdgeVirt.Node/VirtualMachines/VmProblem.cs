using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Devices;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Networks;
using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Qemu;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>Why a machine is not Ready.</summary>
/// <param name="Reason">See <see cref="ReadyReasons"/>.</param>
/// <param name="Message">A sentence that says what to do.</param>
internal sealed record VmProblem(string Reason, string Message)
{
    /// <summary>What a failed preparation or start amounts to; null: it is none of those that are foreseen.</summary>
    public static VmProblem? Of(Exception e) => e switch
    {
        VmNotReadyException refused => refused.Problem,
        DeviceMissingException => new(ReadyReasons.DeviceMissing, $"{e.Message}; it starts as soon as the device is there"),
        ImageRefusedException => new(ReadyReasons.ImageRefused, e.Message),
        ImagePullException { IsOverBudget: true } => new(ReadyReasons.PullBudgetExceeded, e.Message),
        ImagePullException { IsOverUplinkCost: true } => new(ReadyReasons.UplinkCostExceeded, e.Message),
        ImagePullException => new(ReadyReasons.ImagePullFailed, e.Message),
        DiskRefusedException => new(ReadyReasons.DiskRefused, e.Message),
        DiskUnavailableException => new(ReadyReasons.DiskUnavailable, e.Message),
        VmStartException or AddressesExhaustedException or IOException or UnauthorizedAccessException => new(ReadyReasons.StartFailed, e.Message),
        _ => null,
    };
}

/// <summary>A machine cannot be what it is to be. Trying again helps only once something else has changed.</summary>
internal sealed class VmNotReadyException(VmProblem problem) : Exception(problem.Message)
{
    public VmProblem Problem { get; } = problem;
}
