using System.Globalization;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>What a container may do, worked out from the security contexts of container and workload.</summary>
internal sealed record ContainerSecurity
{
    // The set that container engines give by default.
    private static readonly string[] DefaultCapabilities =
    [
        "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
        "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
    ];

    private static readonly string[] Masked =
    [
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
        "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
    ];

    private static readonly string[] ReadOnly = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

    public required ContainerUser User { get; init; }

    public required IReadOnlyList<string> Capabilities { get; init; }

    public bool Privileged { get; init; }

    public bool NoNewPrivileges { get; init; }

    public bool ReadOnlyRoot { get; init; }

    /// <summary>Null: every system call is allowed.</summary>
    public SpecSeccomp? Seccomp { get; init; }

    public IReadOnlyList<string> MaskedPaths => Privileged ? [] : Masked;

    public IReadOnlyList<string> ReadOnlyPaths => Privileged ? [] : ReadOnly;

    /// <summary>As in the runtime's config. The kernel gives a program of another user than 0 no more than its file has.</summary>
    public SpecCapabilities SpecCapabilities => User.Uid == 0 ? new(Capabilities, Capabilities, Capabilities) : new(Capabilities, [], []);

    /// <param name="own">Of the container.</param>
    /// <param name="pod">Of the workload; what the container says wins.</param>
    /// <param name="imageUser">The image's <c>user[:group]</c>.</param>
    /// <param name="root">The image's file system, where users are looked up.</param>
    /// <param name="features">What can be given here.</param>
    /// <exception cref="StartFailedException">The user does not exist or must not be 0, or a capability cannot be given.</exception>
    public static ContainerSecurity Of(SecurityContext? own, PodSecurityContext? pod, string? imageUser, string root, RuntimeFeatures features)
    {
        var privileged = own?.Privileged ?? false;
        var capabilities = privileged ? features.Capabilities.Order(StringComparer.Ordinal).ToList() : CapabilitiesOf(own?.Capabilities, features);
        return new ContainerSecurity
        {
            User = UserOf(own, pod, imageUser, root),
            Capabilities = capabilities,
            Privileged = privileged,
            NoNewPrivileges = own?.AllowPrivilegeEscalation == false,
            ReadOnlyRoot = own?.ReadOnlyRootFilesystem ?? false,
            Seccomp = WantsSeccomp(own, pod) && features.HasSeccomp ? SeccompRules.Default(features.Architecture, capabilities) : null,
        };
    }

    /// <summary>Whether the system calls of a container are to be filtered.</summary>
    public static bool WantsSeccomp(SecurityContext? own, PodSecurityContext? pod) =>
        own is not { Privileged: true } && (own?.SeccompProfile ?? pod?.SeccompProfile)?.Type is null or SeccompProfileType.RuntimeDefault;

    private static ContainerUser UserOf(SecurityContext? own, PodSecurityContext? pod, string? imageUser, string root)
    {
        var wanted = (own?.RunAsUser ?? pod?.RunAsUser)?.ToString(CultureInfo.InvariantCulture);
        var user = UserDatabase.Resolve(wanted ?? imageUser, root);
        if (user.Uid == 0 && (own?.RunAsNonRoot ?? pod?.RunAsNonRoot) == true)
        {
            throw new StartFailedException("runAsNonRoot is set, and the image would run as user 0; set runAsUser, or use an image that names another user");
        }

        var gid = own?.RunAsGroup ?? pod?.RunAsGroup;
        return user with
        {
            Gid = gid is { } number ? (uint)number : user.Gid,
            Groups = [.. user.Groups.Concat((pod?.SupplementalGroups ?? []).Select(group => (uint)group)).Concat(pod?.FsGroup is { } volumes ? [(uint)volumes] : []).Distinct()],
        };
    }

    // As container engines for Kubernetes do it: first what ALL means, then what is named, and what is dropped last.
    private static List<string> CapabilitiesOf(CapabilityChanges? changes, RuntimeFeatures features)
    {
        var (add, drop) = (NamesOf(changes?.Add), NamesOf(changes?.Drop));
        IEnumerable<string> given = drop.Contains(Capability.All) ? [] : add.Contains(Capability.All) ? features.Capabilities : DefaultCapabilities;
        var named = add.Where(name => name != Capability.All).ToList();
        if (named.Find(name => !features.Capabilities.Contains(name)) is { } missing)
        {
            throw new StartFailedException($"capability {missing} cannot be given: the agent on this node does not have it itself");
        }

        return [.. given.Concat(named).Except(drop).Distinct().Order(StringComparer.Ordinal)];
    }

    private static HashSet<string> NamesOf(IReadOnlyList<string>? texts) =>
        (texts ?? []).Select(text => Capability.TryParse(text, out var name) ? name : throw new StartFailedException($"'{text}' is no capability")).ToHashSet();
}
