namespace EdgeVirt.Contracts.Resources;

/// <summary>Three-valued truth, as in Kubernetes.</summary>
public enum ConditionStatus
{
    /// <summary>Not known, for instance because the node is out of reach.</summary>
    Unknown,

    /// <summary>It holds.</summary>
    True,

    /// <summary>It does not hold.</summary>
    False,
}

/// <summary>A lasting fact about a resource. <see cref="Type"/> is one of <see cref="ConditionTypes"/>,
/// <see cref="Reason"/> one of the constants that belong to the type.</summary>
public sealed record Condition
{
    /// <summary>What the condition is about, e.g. <c>Ready</c>.</summary>
    public required string Type { get; init; }

    /// <summary>Whether it holds.</summary>
    public required ConditionStatus Status { get; init; }

    /// <summary>One word for programs, from a closed set.</summary>
    public required string Reason { get; init; }

    /// <summary>One sentence for people, saying what to do where something is to be done.</summary>
    public string? Message { get; init; }

    /// <summary>When <see cref="Status"/> last changed.</summary>
    public DateTimeOffset? LastTransitionTime { get; init; }
}

/// <summary>The condition types in use.</summary>
public static class ConditionTypes
{
    /// <summary>Workload, VirtualMachine, Node: does what it is there for. Reasons: <see cref="ReadyReasons"/>.</summary>
    public const string Ready = "Ready";

    /// <summary>Workload: limits, requests and class do what the spec says. Reasons: <see cref="LimitsEnforcedReasons"/>.</summary>
    public const string LimitsEnforced = "LimitsEnforced";

    /// <summary>Workload: the newest version is in force, or on its way there; told on the way and when it failed. Reasons: <see cref="ProgressingReasons"/>.</summary>
    public const string Progressing = "Progressing";

    /// <summary>Workload: every container has the seccomp profile that it is to have. Reasons: <see cref="SeccompEnforcedReasons"/>.</summary>
    public const string SeccompEnforced = "SeccompEnforced";

    /// <summary>Workload: every container has the AppArmor profile that it is to have. Reasons: <see cref="AppArmorEnforcedReasons"/>.</summary>
    public const string AppArmorEnforced = "AppArmorEnforced";

    /// <summary>VirtualMachine: its guest runs under KVM. Reasons: <see cref="AcceleratedReasons"/>.</summary>
    public const string Accelerated = "Accelerated";

    /// <summary>VirtualMachine: the schedule of its snapshots is kept. Reasons: <see cref="SnapshotsTakenReasons"/>.</summary>
    public const string SnapshotsTaken = "SnapshotsTaken";

    /// <summary>VirtualMachine: its disks have the sizes that the spec says; told where they do not. Reasons: <see cref="DisksSizedReasons"/>.</summary>
    public const string DisksSized = "DisksSized";

    /// <summary>Node: the newest desired revision is in force. Reasons: <see cref="DesiredStateReasons"/>.</summary>
    public const string DesiredStateAccepted = "DesiredStateAccepted";

    /// <summary>Virtual machine: the USB devices of the node that it runs with are there. Reasons: <see cref="DevicesPluggedReasons"/>.</summary>
    public const string DevicesPlugged = "DevicesPlugged";

    /// <summary>Node: state files are sound. Reasons: <see cref="StorageReasons"/>.</summary>
    public const string StorageHealthy = "StorageHealthy";

    /// <summary>Node: a storage device of it is about to be worn out. Reasons: <see cref="StorageWornReasons"/>.</summary>
    public const string StorageWorn = "StorageWorn";

    /// <summary>Node: the settings on its card are sound and in force; told by the node OS alone. Reasons: <see cref="BoardSettingsReasons"/>.</summary>
    public const string BoardSettings = "BoardSettings";

    /// <summary>Node: it is short of disk space, so that workloads are evicted. Reasons: <see cref="DiskPressureReasons"/>.</summary>
    public const string DiskPressure = "DiskPressure";

    /// <summary>Node: workloads find each other by name. Reasons: <see cref="NamesServedReasons"/>.</summary>
    public const string NamesServed = "NamesServed";

    /// <summary>Node: what virtual machines need is installed; where not, the message says what to install. Reasons: <see cref="RunsVirtualMachinesReasons"/>.</summary>
    public const string RunsVirtualMachines = "RunsVirtualMachines";

    /// <summary>Node: it has a certificate that its hub takes. Reasons: <see cref="EnrolledReasons"/>.</summary>
    public const string Enrolled = "Enrolled";

    /// <summary>Node: somebody on the board has asked for a factory reset; it restarts and forgets all that it has. Reasons: <see cref="FactoryResetReasons"/>.</summary>
    public const string FactoryReset = "FactoryReset";
}

/// <summary>Reasons of <see cref="ConditionTypes.FactoryReset"/>.</summary>
public static class FactoryResetReasons
{
    /// <summary>By <c>edgevirt factory-reset</c>.</summary>
    public const string Requested = "Requested";
}

/// <summary>Reasons of <see cref="ConditionTypes.Ready"/>.</summary>
public static class ReadyReasons
{
#pragma warning disable CS1591 // The names say it.
    public const string Ready = "Ready";
    public const string Completed = "Completed";
    public const string Pending = "Pending";
    public const string ImagePulling = "ImagePulling";
    public const string ImagePullFailed = "ImagePullFailed";
    public const string ImageRefused = "ImageRefused";
    public const string PullBudgetExceeded = "PullBudgetExceeded";
    public const string UplinkCostExceeded = "UplinkCostExceeded";
    public const string DeltaUnavailable = "DeltaUnavailable";
    public const string ReferenceMissing = "ReferenceMissing";
    public const string DeviceMissing = "DeviceMissing";
    public const string HostPathRefused = "HostPathRefused";
    public const string WaitingForWorkload = "WaitingForWorkload";
    public const string WorkloadMissing = "WorkloadMissing";
    public const string StartCircle = "StartCircle";
    public const string Initializing = "Initializing";
    public const string Starting = "Starting";
    public const string StartFailed = "StartFailed";
    public const string AccelerationMissing = "AccelerationMissing";
    public const string ResourcesMissing = "ResourcesMissing";
    public const string DiskRefused = "DiskRefused";
    public const string DiskUnavailable = "DiskUnavailable";
    public const string DiskFailed = "DiskFailed";
    public const string WatchdogExpired = "WatchdogExpired";
    public const string DeviceInUse = "DeviceInUse";
    public const string DeviceRefused = "DeviceRefused";
    public const string TpmMissing = "TpmMissing";
    public const string Stopped = "Stopped";
    public const string Paused = "Paused";
    public const string ProbeFailed = "ProbeFailed";
    public const string FailedPostStartHook = "FailedPostStartHook";
    public const string Restarting = "Restarting";
    public const string Failed = "Failed";
    public const string Stopping = "Stopping";
    public const string Staging = ProgressingReasons.Staging;
    public const string StagingFailed = ProgressingReasons.StagingFailed;
    public const string Switching = ProgressingReasons.Switching;
    public const string RolledBack = ProgressingReasons.RolledBack;
    public const string NoMatchingNode = "NoMatchingNode";
    public const string PortTaken = "PortTaken";
    public const string AgentTooOld = "AgentTooOld";
    public const string CapabilityMissing = "CapabilityMissing";
    public const string NodeOffline = "NodeOffline";
    public const string HeartbeatMissed = "HeartbeatMissed";
    public const string NeverSeen = "NeverSeen";
    public const string Superseded = "Superseded";
#pragma warning restore CS1591
}

/// <summary>Reasons of <see cref="ConditionTypes.DevicesPlugged"/>.</summary>
public static class DevicesPluggedReasons
{
#pragma warning disable CS1591
    public const string Plugged = "Plugged";
    public const string Unplugged = "Unplugged";
#pragma warning restore CS1591
}

/// <summary>Reasons of <see cref="ConditionTypes.LimitsEnforced"/>.</summary>
public static class LimitsEnforcedReasons
{
#pragma warning disable CS1591
    public const string Enforced = "Enforced";
    public const string ControllerMissing = "ControllerMissing";
    public const string CapabilityMissing = "CapabilityMissing";
    public const string NotAllowed = "NotAllowed";
#pragma warning restore CS1591
}

/// <summary>Reasons of <see cref="ConditionTypes.Progressing"/>.</summary>
public static class ProgressingReasons
{
#pragma warning disable CS1591
    public const string Staging = "Staging";
    public const string StagingFailed = "StagingFailed";
    public const string Switching = "Switching";
    public const string RolledBack = "RolledBack";
#pragma warning restore CS1591
}

/// <summary>Reasons of <see cref="ConditionTypes.SeccompEnforced"/>.</summary>
public static class SeccompEnforcedReasons
{
#pragma warning disable CS1591
    public const string Enforced = "Enforced";
    public const string SeccompMissing = "SeccompMissing";
#pragma warning restore CS1591
}

/// <summary>Reasons of <see cref="ConditionTypes.AppArmorEnforced"/>.</summary>
public static class AppArmorEnforcedReasons
{
#pragma warning disable CS1591
    public const string AppArmorMissing = "AppArmorMissing";
    public const string ProfileNotLoaded = "ProfileNotLoaded";
#pragma warning restore CS1591
}

/// <summary>Reasons of <see cref="ConditionTypes.Accelerated"/>.</summary>
public static class AcceleratedReasons
{
#pragma warning disable CS1591
    public const string Accelerated = "Accelerated";
    public const string KvmMissing = "KvmMissing";
    public const string KvmUnproven = "KvmUnproven";
#pragma warning restore CS1591
}

/// <summary>Reasons of <see cref="ConditionTypes.RunsVirtualMachines"/>.</summary>
public static class RunsVirtualMachinesReasons
{
#pragma warning disable CS1591
    public const string Installed = "Installed";
    public const string ProgramMissing = "ProgramMissing";
#pragma warning restore CS1591
}

/// <summary>Reasons of <see cref="ConditionTypes.SnapshotsTaken"/>.</summary>
public static class SnapshotsTakenReasons
{
#pragma warning disable CS1591
    public const string Taken = "Taken";
    public const string NotTaken = "NotTaken";
    public const string NotRestored = "NotRestored";
#pragma warning restore CS1591
}

/// <summary>Reasons of <see cref="ConditionTypes.DisksSized"/>.</summary>
public static class DisksSizedReasons
{
#pragma warning disable CS1591
    public const string CannotShrink = "CannotShrink";
    public const string CannotGrow = "CannotGrow";
#pragma warning restore CS1591
}

/// <summary>Reasons of <see cref="ConditionTypes.DesiredStateAccepted"/>.</summary>
public static class DesiredStateReasons
{
#pragma warning disable CS1591
    public const string Accepted = "Accepted";
    public const string HubBeforeRunsOn = "HubBeforeRunsOn";
    public const string Invalid = "Invalid";
    public const string Unreadable = "Unreadable";
    public const string NoneYet = "NoneYet";
#pragma warning restore CS1591
}

/// <summary>Reasons of <see cref="ConditionTypes.StorageWorn"/>.</summary>
public static class StorageWornReasons
{
#pragma warning disable CS1591
    public const string LifeUsed = "LifeUsed";
    public const string SpareUsed = "SpareUsed";
    public const string SelfTestFailed = "SelfTestFailed";
    public const string NotWorn = "NotWorn";
    public const string NotKnown = "NotKnown";
#pragma warning restore CS1591
}

/// <summary>Reasons of <see cref="ConditionTypes.BoardSettings"/>.</summary>
public static class BoardSettingsReasons
{
#pragma warning disable CS1591
    public const string Applied = "Applied";
    public const string Invalid = "Invalid";
#pragma warning restore CS1591
}

/// <summary>Reasons of <see cref="ConditionTypes.DiskPressure"/>.</summary>
public static class DiskPressureReasons
{
#pragma warning disable CS1591
    public const string HasDiskPressure = "HasDiskPressure";
    public const string HasNoDiskPressure = "HasNoDiskPressure";
#pragma warning restore CS1591
}

/// <summary>Reasons of <see cref="ConditionTypes.NamesServed"/>.</summary>
public static class NamesServedReasons
{
#pragma warning disable CS1591
    public const string Served = "Served";
    public const string ServerMissing = "ServerMissing";
    public const string ServerFailed = "ServerFailed";
#pragma warning restore CS1591
}

/// <summary>Reasons of <see cref="ConditionTypes.StorageHealthy"/>.</summary>
public static class StorageReasons
{
#pragma warning disable CS1591
    public const string Healthy = "Healthy";
    public const string Quarantined = "Quarantined";
    public const string Full = "Full";
#pragma warning restore CS1591
}

/// <summary>Reasons of <see cref="ConditionTypes.Enrolled"/>.</summary>
public static class EnrolledReasons
{
#pragma warning disable CS1591
    public const string Enrolled = "Enrolled";
    public const string NotEnrolled = "NotEnrolled";
    public const string KeyUnavailable = "KeyUnavailable";
    public const string TokenRefused = "TokenRefused";
    public const string HubUnreachable = "HubUnreachable";
    public const string RenewalFailed = "RenewalFailed";
    public const string Revoked = "Revoked";
#pragma warning restore CS1591
}
