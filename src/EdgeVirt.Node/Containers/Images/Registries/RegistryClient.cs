using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;

namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>
/// HTTP to one repository of one registry: address, trust, authorisation, and failures in our words.
/// Made for one pull and disposed, so that no idle connection holds memory between pulls.
/// </summary>
internal sealed class RegistryClient : IDisposable
{
    private static readonly TimeSpan s_connectTimeout = TimeSpan.FromSeconds(10);

    private readonly HttpClient _http;
    private readonly RegistryAuthorization _authorization;
    private readonly Uri _base;
    private readonly string _name;
    private readonly int _attempts;

    public RegistryClient(string host, string repository, RegistryAccess access, IReadOnlyList<RegistryCredential> credentials, TimeSpan timeout, int connections)
    {
        _name = $"{host}/{repository}";
        _base = new Uri(access.Url, $"/v2/{repository}/");
        _attempts = credentials.Count + 3;
        _http = new HttpClient(Handler(host, access, connections)) { Timeout = timeout };
        _authorization = new RegistryAuthorization(_http, access, repository, credentials);
    }

    /// <summary>Sends a GET, authorised as the registry asks for it.</summary>
    /// <param name="path">Beneath the repository.</param>
    /// <param name="accept">Media types; none: any.</param>
    /// <param name="from">First byte that is wanted.</param>
    /// <param name="ct">Gives up.</param>
    /// <returns>A response with status 200, 206 or 416, its content not yet read.</returns>
    /// <exception cref="ImagePullException">Any other status, or no answer.</exception>
    public Task<HttpResponseMessage> GetAsync(string path, IReadOnlyList<string> accept, long from, CancellationToken ct) =>
        GetAsync(path, accept, from > 0 ? new RangeHeaderValue(from, null) : null, ct);

    /// <summary>The same, for a part in the middle: its first and its last byte.</summary>
    public Task<HttpResponseMessage> GetPartAsync(string path, long from, long to, CancellationToken ct) => GetAsync(path, [], new RangeHeaderValue(from, to), ct);

    private async Task<HttpResponseMessage> GetAsync(string path, IReadOnlyList<string> accept, RangeHeaderValue? range, CancellationToken ct)
    {
        try
        {
            var sent = _authorization.Current;
            var response = await SendAsync(path, accept, range, sent, ct);
            for (var attempt = 1; response.StatusCode == HttpStatusCode.Unauthorized && attempt < _attempts && await _authorization.AnswerAsync(response, sent, ct); attempt++)
            {
                response.Dispose();
                sent = _authorization.Current;
                response = await SendAsync(path, accept, range, sent, ct);
            }

            if (response.StatusCode is HttpStatusCode.OK or HttpStatusCode.PartialContent or HttpStatusCode.RequestedRangeNotSatisfiable)
            {
                _authorization.Accepted();
                return response;
            }

            using (response)
            {
                throw Failure(path, response);
            }
        }
        catch (Exception failed) when (IsConnection(failed, ct))
        {
            throw Unreachable(failed);
        }
    }

    public ImagePullException Unreachable(Exception cause) => UplinkLimit.RefusalIn(cause) ?? Unanswered(cause);

    private ImagePullException Unanswered(Exception cause) => cause is HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError }
        // Passing all the same: before a board knows the time, no certificate is valid.
        ? new($"The registry at {_base.Authority} shows no certificate that is trusted ({cause.InnerException?.Message ?? cause.Message}); set its caFile under registries in the agent's configuration, or, where it speaks no TLS, its url with http://, and look at the clock.", cause) { IsPassing = true }
        : new($"The registry at {_base.Authority} does not answer ({cause.Message}); check the network and Registries in the agent's configuration.", cause) { IsPassing = true };

    public static bool IsConnection(Exception exception, CancellationToken ct) =>
        exception is HttpRequestException or IOException || (exception is OperationCanceledException && !ct.IsCancellationRequested);

    public void Dispose()
    {
        _authorization.Dispose();
        _http.Dispose();
    }

    private async Task<HttpResponseMessage> SendAsync(
        string path, IReadOnlyList<string> accept, RangeHeaderValue? range, AuthenticationHeaderValue? authorization, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(_base, path));
        foreach (var type in accept)
        {
            request.Headers.Accept.ParseAdd(type);
        }

        request.Headers.Range = range;
        request.Headers.Authorization = authorization;
        return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
    }

    private ImagePullException Failure(string path, HttpResponseMessage response) => response.StatusCode switch
    {
        HttpStatusCode.NotFound => new($"{_name} has no {path.Replace("/", " ", StringComparison.Ordinal)} (404); push the image, or correct the reference."),
        HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden =>
            new($"The registry refuses {_name} ({(int)response.StatusCode}); name a Secret with credentials in the workload's imagePullSecrets, or set username and passwordFile under Registries in the agent's configuration."),
        var status => new($"The registry answered {(int)status} for {_name}; try again, or look at the registry's log.")
        {
            IsPassing = (int)status >= 500 || status is HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout,
            RetryAfter = response.Headers.RetryAfter?.Delta,
        },
    };

    private static SocketsHttpHandler Handler(string host, RegistryAccess access, int connections)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = s_connectTimeout,
            MaxConnectionsPerServer = connections,
            MaxAutomaticRedirections = 5,
            UseCookies = false,

            // An answer that is not wanted, a whole layer instead of a part of it, is cut off and not read to its end.
            MaxResponseDrainSize = 16 << 10,
        };
        if (access.CaFile is { } file)
        {
            handler.SslOptions.CertificateChainPolicy = Trusting(host, file);
        }

        if (access.Uplink is { } limit)
        {
            handler.ConnectCallback = limit.ConnectAsync;
        }

        return handler;
    }

    private static X509ChainPolicy Trusting(string host, string file)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        try
        {
            policy.CustomTrustStore.ImportFromPemFile(file);
            return policy;
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException)
        {
            throw new ImagePullException($"The CA file {file} of registry {host} cannot be read ({unreadable.Message}); correct caFile.", unreadable);
        }
    }
}
