using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace EdgeVirt.Node.Hub;

/// <summary>Whom the node believes to be its hub: who shows a certificate of the hub's own authority for the name that was dialled.</summary>
internal static class HubTrust
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    /// <summary>Why a server's certificate is not trusted, null if it is.</summary>
    /// <param name="shown">What the server showed.</param>
    /// <param name="authority">The hub's authority.</param>
    /// <param name="host">The name or address that was dialled.</param>
    /// <param name="now">The time, as far as it can be known.</param>
    public static string? ProblemOf(X509Certificate2? shown, X509Certificate2 authority, string host, DateTimeOffset now)
    {
        if (shown is null)
        {
            return "the server showed no certificate";
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.ApplicationPolicy.Add(new System.Security.Cryptography.Oid(ServerAuthentication));
        chain.ChainPolicy.VerificationTimeIgnored = false;
        // A board without a clock chip may believe it is before the certificate was made: that is the board's error.
        chain.ChainPolicy.VerificationTime = now.UtcDateTime < shown.NotBefore.ToUniversalTime() ? shown.NotBefore.AddSeconds(1) : now.LocalDateTime;
        if (!chain.Build(shown))
        {
            return $"its certificate is not sound: {string.Join(", ", chain.ChainStatus.Select(status => status.StatusInformation.Trim()))}";
        }

        var name = host.Trim('[', ']');
        return shown.MatchesHostname(name, allowWildcards: true, allowCommonName: false)
            ? null
            : $"its certificate is not for '{name}'; dial it by a name in its certificate, or start the hub with --advertise {name}";
    }

    /// <summary>TLS as a client of the hub.</summary>
    /// <param name="authority">The hub's authority; null: believe anyone, for asking who the authority is.</param>
    /// <param name="certificate">The node's certificate, where it has one.</param>
    /// <param name="host">The name or address that is dialled.</param>
    /// <param name="now">The time.</param>
    /// <param name="refused">Told why a server was not believed.</param>
    public static SslClientAuthenticationOptions Options(
        X509Certificate2? authority, X509Certificate2? certificate, string host, Func<DateTimeOffset> now, Action<string> refused) => new()
    {
        TargetHost = host.Trim('[', ']'),
        ClientCertificates = certificate is null ? null : [certificate],
        LocalCertificateSelectionCallback = certificate is null ? null : (_, _, _, _, _) => certificate,
        RemoteCertificateValidationCallback = (_, shown, _, _) =>
        {
            var problem = authority is null ? null : ProblemOf(shown as X509Certificate2, authority, host, now());
            if (problem is not null)
            {
                refused(problem);
            }

            return problem is null;
        },
    };
}
