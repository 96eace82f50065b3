namespace EdgeVirt.Hub.Enrollment;

/// <summary>A node that the hub knows, by its key.</summary>
#pragma warning disable CA1001 // The token source has no timer and no wait handle, and every connection may still be watching it.
internal sealed class NodeIdentity(string node, byte[] keyHash)
#pragma warning restore CA1001
{
    private readonly CancellationTokenSource revocation = new();

    /// <summary>Its name.</summary>
    public string Node { get; } = node;

    /// <summary>SHA-256 of its key's SubjectPublicKeyInfo.</summary>
    public ReadOnlyMemory<byte> KeyHash { get; } = keyHash;

    /// <summary>Ends when the identity is revoked or replaced. All that runs on behalf of the node ends with it.</summary>
    public CancellationToken Revoked => revocation.Token;

    internal void Revoke() => revocation.Cancel();
}
