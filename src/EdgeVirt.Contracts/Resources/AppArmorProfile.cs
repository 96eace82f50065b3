namespace EdgeVirt.Contracts.Resources;

/// <summary>Which AppArmor profile confines a container. Names and meanings are those of Kubernetes; there is no profile of the runtime's own.</summary>
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
    /// <summary>None; the default.</summary>
    Unconfined,

    /// <summary>One that the node has loaded itself.</summary>
    Localhost,
}
