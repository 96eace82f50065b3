using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace EdgeVirt.Cli.HubClient;

/// <summary>What a hub shows before anything is trusted: nothing secret is sent on the way.</summary>
/// <param name="Certificate">Its own certificate.</param>
/// <param name="Authority">The authority that issued it, if the hub shows that one.</param>
internal sealed record FirstContact(X509Certificate2 Certificate, X509Certificate2? Authority)
{
    private const int MaxAuthorityBytes = 64 * 1024;

    /// <summary>Asks a hub for its certificates. A person, or a fingerprint, has to vouch for them afterwards.</summary>
    public static async Task<FirstContact> MakeAsync(Uri server, TimeSpan timeout, CancellationToken ct)
    {
        X509Certificate2? leaf = null;
        List<X509Certificate2> shown = [];
        bool Look(X509Certificate? certificate, X509Chain? chain)
        {
            leaf = certificate is null ? null : X509CertificateLoader.LoadCertificate(certificate.GetRawCertData());
            shown = [.. chain?.ChainPolicy.ExtraStore.Select(one => X509CertificateLoader.LoadCertificate(one.RawDataMemory.Span)) ?? []];
            return leaf is not null;
        }

        using var handler = new SocketsHttpHandler { AllowAutoRedirect = false };
        // Lets one request without a token through, to see certificates that are public; what comes is
        // used only if the authority in it issued the certificate of this very connection.
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, chain, _) => Look(certificate, chain);
        using var http = new HttpClient(handler) { Timeout = timeout, MaxResponseContentBufferSize = MaxAuthorityBytes };
        string? pem = null;
        try
        {
            using var answer = await http.GetAsync(new Uri(server, "/api/v1/authority"), ct);
            pem = answer.StatusCode == HttpStatusCode.OK ? await answer.Content.ReadAsStringAsync(ct) : null;
        }
        catch (HttpRequestException fault) when (leaf is null)
        {
            throw Reachability.Explain(server, fault, null);
        }
        catch (HttpRequestException)
        {
            // The certificates were seen, which is what matters here.
        }
        catch (TaskCanceledException) when (!ct.IsCancellationRequested)
        {
            throw Reachability.TimedOut(server, timeout);
        }

        return new FirstContact(leaf!, AuthorityAmong(shown, leaf!) ?? AuthorityFrom(pem, leaf!));
    }

    private static X509Certificate2? AuthorityAmong(List<X509Certificate2> shown, X509Certificate2 leaf) =>
        shown.FirstOrDefault(one => one.Subject == one.Issuer && TrustAnchor.ProblemOfChain(leaf, one, null) is null);

    private static X509Certificate2? AuthorityFrom(string? pem, X509Certificate2 leaf)
    {
        try
        {
            var authority = pem is null ? null : X509Certificate2.CreateFromPem(pem);
            return authority is not null && TrustAnchor.ProblemOfChain(leaf, authority, null) is null ? authority : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }
}
