using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>What kernel and OCI runtime can do here.</summary>
/// <param name="MissingControllers">Controllers whose limits cannot be enforced.</param>
/// <param name="HasSeccomp">Whether system calls can be filtered.</param>
/// <param name="Capabilities">Those that the agent has, and can therefore give.</param>
/// <param name="Architecture"><c>amd64</c>, <c>arm64</c> or <c>arm</c>.</param>
internal sealed record RuntimeFeatures(
    IReadOnlyList<string> MissingControllers, bool HasSeccomp, IReadOnlySet<string> Capabilities, string Architecture)
{
    /// <summary>Which version of control groups there is.</summary>
    public CgroupLayout Layout { get; init; } = CgroupLayout.Unified;

    /// <summary>The disk below the data partition; null: none that could be limited.</summary>
    public DeviceNumber? Disk { get; init; }

    /// <summary>Whether AppArmor is on in the kernel.</summary>
    public bool HasAppArmor { get; init; }

    /// <summary>Name of the agent's own AppArmor profile; null: it is not loaded.</summary>
    public string? DefaultAppArmorProfile { get; init; }

    /// <summary>Highest real-time priority that containers may be given; 0: none.</summary>
    public int MaxRealtimePriority { get; init; }

    /// <summary>Whether something can be enforced, in the words of <see cref="Enforcement"/>.</summary>
    public bool Has(string controller) => !MissingControllers.Contains(controller);

    /// <summary>Of this process on this machine.</summary>
    public static RuntimeFeatures Here(IReadOnlyList<string> missingControllers, bool runtimeHasSeccomp) => new(
        missingControllers,
        runtimeHasSeccomp && ProcessSecurity.KernelHasSeccomp,
        Capability.Names.Where((_, number) => (ProcessSecurity.EffectiveCapabilities >> number & 1) != 0).ToHashSet(),
        SystemFacts.Architecture);

    /// <summary>runc names the libseccomp that it was built with; crun lists <c>+SECCOMP</c> among its features.</summary>
    public static bool SaysSeccomp(string versionOutput) =>
        versionOutput.Contains("libseccomp", StringComparison.Ordinal) || versionOutput.Contains("+SECCOMP", StringComparison.Ordinal);
}
