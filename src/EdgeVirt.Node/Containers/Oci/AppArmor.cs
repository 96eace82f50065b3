using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>AppArmor profiles of containers: the agent's own, and those that the node loads itself and workloads name.</summary>
internal static class AppArmor
{
    /// <summary>What a workload is told whose containers are not confined as it says.</summary>
    public static Condition Missing { get; } = NotEnforced(
        AppArmorEnforcedReasons.AppArmorMissing, "appArmorProfile has no effect: AppArmor is not on in the node's kernel");

    /// <summary>The condition of a workload that is not confined as it says; null: it is, or says nothing.</summary>
    /// <param name="template">What it says.</param>
    /// <param name="hasAppArmor">Whether AppArmor is on in the kernel.</param>
    /// <param name="defaultProblem">Why the agent's own profile could not be loaded; null: it could, or nobody needed it yet.</param>
    public static Condition? ConditionOf(PodSpec template, bool hasAppArmor, string? defaultProblem) =>
        !hasAppArmor && IsWanted(template) ? Missing
        : hasAppArmor && defaultProblem is not null && template.AllContainers().Any(container => AsksForDefault(container.SecurityContext, template.SecurityContext))
            ? NotEnforced(AppArmorEnforcedReasons.ProfileNotLoaded, $"appArmorProfile RuntimeDefault has no effect: {defaultProblem}")
            : null;

    /// <summary>Name of the profile that a container is to have; null: none.</summary>
    /// <param name="own">Of the container; wins over the workload's.</param>
    /// <param name="pod">Of the workload.</param>
    /// <param name="runtimeDefault">The agent's own profile; null: there is none here.</param>
    public static string? ProfileOf(SecurityContext? own, PodSecurityContext? pod, string? runtimeDefault = null) => (own?.AppArmorProfile ?? pod?.AppArmorProfile) switch
    {
        { Type: AppArmorProfileType.Localhost, LocalhostProfile: { } name } => name,
        { Type: AppArmorProfileType.Unconfined } => null,
        _ => own is { Privileged: true } ? null : runtimeDefault,
    };

    /// <summary>Whether a container is to have the agent's own profile, asked for or not.</summary>
    public static bool NeedsDefault(SecurityContext? own, PodSecurityContext? pod) => ProfileOf(own, pod, DefaultAppArmorProfile.Name) == DefaultAppArmorProfile.Name;

    /// <summary>Whether a workload says that any of its containers is to have a profile.</summary>
    public static bool IsWanted(PodSpec template) => template.AllContainers().Any(container =>
        ProfileOf(container.SecurityContext, template.SecurityContext) is not null || AsksForDefault(container.SecurityContext, template.SecurityContext));

    /// <summary>The profile for the runtime's config; null: none, or none can be had here.</summary>
    /// <exception cref="StartFailedException">It is not loaded.</exception>
    public static string? Require(string? profile, RuntimeFeatures features, Func<string, bool?> isLoaded) => profile is null || !features.HasAppArmor
        ? null
        : isLoaded(profile) == false
            ? throw new StartFailedException($"the AppArmor profile '{profile}' is not loaded on this node; load it there with apparmor_parser, at each boot")
            : profile;

    private static bool AsksForDefault(SecurityContext? own, PodSecurityContext? pod) =>
        own is not { Privileged: true } && (own?.AppArmorProfile ?? pod?.AppArmorProfile) is { Type: AppArmorProfileType.RuntimeDefault };

    private static Condition NotEnforced(string reason, string message) =>
        new() { Type = ConditionTypes.AppArmorEnforced, Status = ConditionStatus.False, Reason = reason, Message = message };
}
