using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images.Registries;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>What a workload says about how its images are pulled.</summary>
internal sealed record PullTerms
{
    public static PullTerms None { get; } = new();

    /// <summary>Credentials from the Secrets that it names. Never log them.</summary>
    public RegistryKeychain Keychain { get; init; } = RegistryKeychain.Empty;

    /// <summary>Most bytes of layers that one image may cost on the link; null: no limit.</summary>
    public long? MaxBytes { get; init; }

    /// <summary>Most that an uplink may cost which bytes of it take; null: as the node says.</summary>
    public int? MaxUplinkCost { get; init; }

    /// <summary>Whether layers are put together from what is here and the rest.</summary>
    public ImageDeltaPolicy Delta { get; init; }

    /// <summary>Whether an artifact, which nobody can run, will do.</summary>
    public bool TakesArtifacts { get; init; }

    /// <summary>What is wrong with those Secrets, for the message of a pull that fails; null: nothing.</summary>
    public string? Problem { get; init; }
}
