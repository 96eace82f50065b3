namespace EdgeVirt.Contracts.Resources;

/// <summary>Which AppArmor profile confines a container. Names and meanings are those of Kubernetes.</summary>
public sealed record AppArmorProfile
{
    /// <summary>The kind of profile.</summary>
    public required AppArmorProfileType Type { get; init; }

    /// <summary>With Localhost: the name of a profile that is loaded on the node.</summary>
    public string? LocalhostProfile { get; init; }
}

/// <summary>The kinds of AppArmor profiles.</summary>
public enum AppArmorProfileType
{
    /// <summary>The agent's own, where the kernel has AppArmor; the default, but for privileged containers, which have none.</summary>
    RuntimeDefault,

    /// <summary>None.</summary>
    Unconfined,

    /// <summary>One that the node has loaded itself.</summary>
    Localhost,
}
