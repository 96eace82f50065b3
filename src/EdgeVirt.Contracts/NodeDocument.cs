using System.Security.Cryptography;
using System.Text.Json;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts;

/// <summary>
/// All that one node is to do: the document behind a revision. Lists are ordered by name, so that equal
/// content gives equal bytes and an equal digest.
/// </summary>
public sealed record NodeDocument
{
    /// <summary>The node that it is for.</summary>
    public required string Node { get; init; }

    /// <summary>Workloads placed on the node.</summary>
    public IReadOnlyList<DesiredWorkload> Workloads { get; init => field = value ?? []; } = [];

    /// <summary>Virtual machines placed on the node; absent where there are none, so that such a document is what it was before there was the kind.</summary>
    public IReadOnlyList<DesiredVirtualMachine>? VirtualMachines { get; init; }

    /// <summary>The Configs that those workloads name, and no others.</summary>
    public IReadOnlyList<DesiredConfig> Configs { get; init => field = value ?? []; } = [];

    /// <summary>The Secrets that those workloads and virtual machines name, and no others. Confidential.</summary>
    public IReadOnlyList<DesiredSecret> Secrets { get; init => field = value ?? []; } = [];

    /// <summary>The bytes that travel and that the digest is of.</summary>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, ContractsJson.Default.NodeDocument);

    /// <summary>Reads what <see cref="ToBytes"/> wrote.</summary>
    /// <exception cref="JsonException">The bytes are no document.</exception>
    public static NodeDocument FromBytes(ReadOnlySpan<byte> bytes) =>
        JsonSerializer.Deserialize(bytes, ContractsJson.Default.NodeDocument)
        ?? throw new JsonException("The document is null.");

    /// <summary>SHA-256 of a document's bytes.</summary>
    public static byte[] DigestOf(ReadOnlySpan<byte> bytes) => SHA256.HashData(bytes);
}

/// <summary>A workload in a document.</summary>
public sealed record DesiredWorkload
{
    /// <summary>The resource's name.</summary>
    public required string Name { get; init; }

    /// <summary>The resource's uid.</summary>
    public required string Uid { get; init; }

    /// <summary>The resource's generation.</summary>
    public required long Generation { get; init; }

    /// <summary>What to run.</summary>
    public required PodSpec Template { get; init; }

    /// <summary>How a new version takes over; absent: Recreate.</summary>
    public UpdateStrategy? Strategy { get; init; }
}

/// <summary>A virtual machine in a document.</summary>
public sealed record DesiredVirtualMachine
{
    /// <summary>The resource's name.</summary>
    public required string Name { get; init; }

    /// <summary>The resource's uid.</summary>
    public required string Uid { get; init; }

    /// <summary>The resource's generation.</summary>
    public required long Generation { get; init; }

    /// <summary>What to run. Its placement is the hub's business and absent.</summary>
    public required VirtualMachineSpec Spec { get; init; }
}

/// <summary>A Config in a document.</summary>
public sealed record DesiredConfig
{
    /// <summary>The resource's name.</summary>
    public required string Name { get; init; }

    /// <summary>Values by key.</summary>
    public required IReadOnlyDictionary<string, string> Data { get; init; }
}

/// <summary>A Secret in a document.</summary>
public sealed record DesiredSecret
{
    /// <summary>The resource's name.</summary>
    public required string Name { get; init; }

    /// <summary>Values by key.</summary>
    public required IReadOnlyDictionary<string, byte[]> Data { get; init; }
}
