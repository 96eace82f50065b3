namespace EdgeVirt.Contracts.Resources;

/// <summary>What a container may do on the node. Names and meanings are those of Kubernetes.</summary>
public sealed record SecurityContext
{
    /// <summary>As on the node itself: every capability that the agent has, its devices, nothing masked, no seccomp, no AppArmor profile of the agent's own.</summary>
    public bool Privileged { get; init; }

    /// <summary>What differs from the default set.</summary>
    public CapabilityChanges? Capabilities { get; init; }

    /// <summary>The root file system refuses writes; volumes do not.</summary>
    public bool ReadOnlyRootFilesystem { get; init; }

    /// <summary>User id; absent: the workload's, else the image's.</summary>
    public int? RunAsUser { get; init; }

    /// <summary>Group id; absent: the workload's, else the user's.</summary>
    public int? RunAsGroup { get; init; }

    /// <summary>Whether the container is refused where it would run as user 0; absent: the workload's.</summary>
    public bool? RunAsNonRoot { get; init; }

    /// <summary>Whether a program may gain more than its parent has (setuid, file capabilities); absent: true.</summary>
    public bool? AllowPrivilegeEscalation { get; init; }

    /// <summary>Which system calls are allowed; absent: the workload's.</summary>
    public SeccompProfile? SeccompProfile { get; init; }

    /// <summary>Which AppArmor profile confines it; absent: the workload's.</summary>
    public AppArmorProfile? AppArmorProfile { get; init; }
}

/// <summary>What holds for each container of a workload that does not say otherwise.</summary>
public sealed record PodSecurityContext
{
    /// <summary>User id; absent: the image's.</summary>
    public int? RunAsUser { get; init; }

    /// <summary>Group id; absent: the user's.</summary>
    public int? RunAsGroup { get; init; }

    /// <summary>Whether a container is refused that would run as user 0.</summary>
    public bool? RunAsNonRoot { get; init; }

    /// <summary>Groups besides those that the image gives the user.</summary>
    public IReadOnlyList<int>? SupplementalGroups { get; init; }

    /// <summary>
    /// A group that every process has in addition, and to whom the volumes belong: emptyDirs and persistent volumes can be written
    /// by it, files of Secrets and Configs be read.
    /// </summary>
    public int? FsGroup { get; init; }

    /// <summary>Which system calls are allowed; absent: RuntimeDefault.</summary>
    public SeccompProfile? SeccompProfile { get; init; }

    /// <summary>Which AppArmor profile confines the containers; absent: RuntimeDefault.</summary>
    public AppArmorProfile? AppArmorProfile { get; init; }
}

/// <summary>Capabilities (capabilities(7)) by name, with or without <c>CAP_</c>, or <c>ALL</c>.</summary>
public sealed record CapabilityChanges
{
    /// <summary>Given besides the default set.</summary>
    public IReadOnlyList<string>? Add { get; init; }

    /// <summary>Taken away; <c>ALL</c> leaves just those that <see cref="Add"/> names one by one.</summary>
    public IReadOnlyList<string>? Drop { get; init; }
}

/// <summary>Which system calls are allowed.</summary>
public sealed record SeccompProfile
{
    /// <summary>The kind of profile.</summary>
    public required SeccompProfileType Type { get; init; }
}

/// <summary>The seccomp profiles there are.</summary>
public enum SeccompProfileType
{
    /// <summary>The usual allow list of container engines; the default.</summary>
    RuntimeDefault,

    /// <summary>Every system call.</summary>
    Unconfined,
}
