using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace EdgeVirt.Hub.Enrollment;

/// <summary>Why a client certificate is not accepted.</summary>
internal enum NodeRefusal
{
    /// <summary>It is accepted.</summary>
    None,

    /// <summary>None was shown.</summary>
    NoCertificate,

    /// <summary>Another authority signed it, or none did.</summary>
    NotFromThisHub,

    /// <summary>It is no client's certificate, or does not name a node.</summary>
    NotForNodes,

    /// <summary>Its time has not come or is over.</summary>
    Expired,

    /// <summary>No such node enrolled.</summary>
    UnknownNode,

    /// <summary>The node was deleted.</summary>
    Revoked,

    /// <summary>The node of that name has another key.</summary>
    OtherKey,
}

/// <summary>Who showed a certificate. <see cref="Node"/> is null unless it is accepted; <see cref="Claimed"/> is the name in it.</summary>
internal readonly record struct NodeCheck(NodeIdentity? Node, NodeRefusal Refusal, string? Claimed)
{
    /// <summary>For the audit log.</summary>
    public string Reason => Refusal switch
    {
        NodeRefusal.None => "accepted",
        NodeRefusal.NoCertificate => "no client certificate was shown",
        NodeRefusal.NotFromThisHub => "the certificate is not from this hub's authority",
        NodeRefusal.NotForNodes => "the certificate is not a node's",
        NodeRefusal.Expired => "the certificate has expired or is not valid yet",
        NodeRefusal.UnknownNode => "no node of that name enrolled",
        NodeRefusal.Revoked => "the node's identity was revoked",
        NodeRefusal.OtherKey => "the node of that name has another key",
        _ => "refused",
    };
}

/// <summary>Decides from a TLS client certificate which node it is. The one place that does so, for Kestrel, gRPC and MQTT.</summary>
internal sealed class NodeAuthentication(CertificateAuthority authority, NodeIdentities identities, TimeProvider time)
{
    /// <summary>
    /// For a TLS handshake: whether this hub's authority issued the certificate to a node. What else may be wrong with it
    /// is for <see cref="Check"/>, so that the caller hears why it is refused, and may renew an expired one.
    /// </summary>
    public bool IsOurs(X509Certificate2? certificate) => CheckIssue(certificate).Refusal == NodeRefusal.None;

    /// <summary>Who shows the certificate. Only a renewal sets <paramref name="allowExpired"/>.</summary>
    public NodeCheck Check(X509Certificate2? certificate, bool allowExpired = false)
    {
        var (refusal, name) = CheckIssue(certificate);
        if (refusal != NodeRefusal.None)
        {
            return new NodeCheck(null, refusal, name);
        }

        var now = time.GetUtcNow();
        var identity = identities.Find(name!);
        refusal = identity switch
        {
            null => NodeRefusal.UnknownNode,
            _ when !CryptographicOperations.FixedTimeEquals(identity.KeyHash.Span, NodeCertificate.KeyHash(certificate!.PublicKey)) => NodeRefusal.OtherKey,
            { Revoked.IsCancellationRequested: true } => NodeRefusal.Revoked,
            _ when !allowExpired && (now < certificate.NotBefore || now >= certificate.NotAfter) => NodeRefusal.Expired,
            _ => NodeRefusal.None,
        };
        return new NodeCheck(refusal == NodeRefusal.None ? identity : null, refusal, name);
    }

    private (NodeRefusal Refusal, string? Name) CheckIssue(X509Certificate2? certificate)
    {
        if (certificate is null)
        {
            return (NodeRefusal.NoCertificate, null);
        }

        try
        {
            if (!NodeCertificate.IsIssuedBy(authority.Authority, certificate))
            {
                return (NodeRefusal.NotFromThisHub, null);
            }

            var name = NodeCertificate.IsForClients(certificate) ? NodeCertificate.NameOf(certificate) : null;
            return (name is null ? NodeRefusal.NotForNodes : NodeRefusal.None, name);
        }
        catch (CryptographicException)
        {
            return (NodeRefusal.NotFromThisHub, null);
        }
    }
}
