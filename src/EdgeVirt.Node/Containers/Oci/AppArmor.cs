using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>AppArmor profiles of containers. They are the node's own: it loads them, workloads name them.</summary>
internal static class AppArmor
{
    /// <summary>What a workload is told whose containers are not confined as it says.</summary>
    public static Condition Missing { get; } = new()
    {
        Type = ConditionTypes.AppArmorEnforced,
        Status = ConditionStatus.False,
        Reason = AppArmorEnforcedReasons.AppArmorMissing,
        Message = "appArmorProfile has no effect: AppArmor is not on in the node's kernel",
    };

    /// <summary>Name of the profile that a container is to have; null: none.</summary>
    public static string? ProfileOf(SecurityContext? own, PodSecurityContext? pod) =>
        (own?.AppArmorProfile ?? pod?.AppArmorProfile) is { Type: AppArmorProfileType.Localhost, LocalhostProfile: { } name } ? name : null;

    /// <summary>Whether any container of a workload is to have one.</summary>
    public static bool IsWanted(PodSpec template) => template.AllContainers().Any(container => ProfileOf(container.SecurityContext, template.SecurityContext) is not null);

    /// <summary>The profile for the runtime's config; null: none, or none can be had here.</summary>
    /// <exception cref="StartFailedException">It is not loaded.</exception>
    public static string? Require(string? profile, RuntimeFeatures features, Func<string, bool?> isLoaded) => profile is null || !features.HasAppArmor
        ? null
        : isLoaded(profile) == false
            ? throw new StartFailedException($"the AppArmor profile '{profile}' is not loaded on this node; load it there with apparmor_parser, at each boot")
            : profile;
}
