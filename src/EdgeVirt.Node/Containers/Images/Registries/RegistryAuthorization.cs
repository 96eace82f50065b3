using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>
/// Answers a registry's challenge: basic credentials, or a bearer token from the realm that it names. The credentials that
/// came with the workload are tried first, then the agent's own; with none at all a token is asked for without a name.
/// </summary>
internal sealed partial class RegistryAuthorization(HttpClient http, RegistryAccess access, string repository, IReadOnlyList<RegistryCredential> credentials) : IDisposable
{
    private const int MaxTokenBytes = 64 << 10;
    private const string ClientId = "edgevirt";

    private readonly SemaphoreSlim _one = new(1);
    private IReadOnlyList<RegistryCredential?>? _candidates;
    private int _tried;
    private bool _accepted;

    /// <summary>What to send along; null until the registry asked.</summary>
    public AuthenticationHeaderValue? Current { get; private set; }

    /// <summary>The registry took what was sent: when it asks again, a token has run out, and the same credential gets another.</summary>
    public void Accepted() => _accepted = Current is not null;

    /// <summary>Whether there is now something new to send.</summary>
    public async Task<bool> AnswerAsync(HttpResponseMessage challenged, AuthenticationHeaderValue? sent, CancellationToken ct)
    {
        // After a redirect the answer is another host's: it gets no credentials of this registry.
        if (challenged.RequestMessage?.RequestUri is not { } asked || asked.Authority != access.Url.Authority || asked.Scheme != access.Url.Scheme)
        {
            return false;
        }

        await _one.WaitAsync(ct);
        try
        {
            // Requests run side by side: another one may have answered meanwhile.
            return !ReferenceEquals(sent, Current) || await NextAsync(challenged, ct);
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose() => _one.Dispose();

    private async Task<bool> NextAsync(HttpResponseMessage challenged, CancellationToken ct)
    {
        _candidates ??= await CandidatesAsync(ct);
        if (_accepted)
        {
            (_accepted, _tried) = (false, _tried - 1);
        }

        ImagePullException? refused = null;
        while (_tried < _candidates.Count)
        {
            var credential = _candidates[_tried++];
            try
            {
                if (await HeaderAsync(challenged, credential, ct) is { } header)
                {
                    Current = header;
                    return true;
                }
            }
            catch (ImagePullException next) when (!next.IsPassing)
            {
                refused = next;
            }
        }

        return refused is null ? false : throw refused;
    }

    private async Task<AuthenticationHeaderValue?> HeaderAsync(HttpResponseMessage challenged, RegistryCredential? credential, CancellationToken ct)
    {
        foreach (var challenge in challenged.Headers.WwwAuthenticate)
        {
            if (challenge.Scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase) && challenge.Parameter is { } parameters)
            {
                return new AuthenticationHeaderValue("Bearer", await FetchTokenAsync(parameters, credential, ct));
            }

            if (challenge.Scheme.Equals("Basic", StringComparison.OrdinalIgnoreCase) && credential is not null)
            {
                return Basic(credential);
            }
        }

        return null;
    }

    private async Task<string> FetchTokenAsync(string parameters, RegistryCredential? credential, CancellationToken ct)
    {
        Dictionary<string, string> values = new(StringComparer.OrdinalIgnoreCase);
        foreach (var match in Parameter().Matches(parameters).Cast<Match>())
        {
            // Of what is said twice, the first counts.
            values.TryAdd(match.Groups[1].Value, match.Groups[2].Value);
        }

        if (!values.TryGetValue("realm", out var realm) || !Uri.TryCreate(realm, UriKind.Absolute, out var address)
            || (address.Scheme != Uri.UriSchemeHttps && address.Scheme != access.Url.Scheme))
        {
            throw new ImagePullException("The registry names no usable place to get a token from; look at its token configuration.");
        }

        var (service, scope) = (values.GetValueOrDefault("service", ""), $"repository:{repository}:pull");
        using var request = credential?.IdentityToken is { } identity ? Exchange(address, service, scope, identity) : Ask(address, service, scope, credential);
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        if (!response.IsSuccessStatusCode)
        {
            throw new ImagePullException($"The token service {address.Authority} answered {(int)response.StatusCode}; check the workload's imagePullSecrets, or username and passwordFile under Registries.")
            {
                IsPassing = (int)response.StatusCode >= 500 || response.StatusCode == HttpStatusCode.TooManyRequests,
            };
        }

        try
        {
            var body = await BoundedBody.ReadAsync(response.Content, MaxTokenBytes, "token", ct);
            var token = JsonSerializer.Deserialize(body, ImageJson.Default.TokenDocument);
            if ((token?.Token ?? token?.AccessToken) is { Length: > 0 } text && text.All(char.IsAscii) && !text.Any(char.IsControl))
            {
                return text;
            }
        }
        catch (JsonException)
        {
            // It gave something, but no token.
        }

        throw new ImagePullException($"The token service {address.Authority} gave no token that can be sent; look at its configuration.");
    }

    private static HttpRequestMessage Ask(Uri address, string service, string scope, RegistryCredential? credential)
    {
        var query = $"service={Uri.EscapeDataString(service)}&scope={Uri.EscapeDataString(scope)}";
        var full = string.Join('&', new[] { address.Query.TrimStart('?'), query }.Where(part => part.Length > 0));
        return new HttpRequestMessage(HttpMethod.Get, new UriBuilder(address) { Query = full }.Uri)
        {
            Headers = { Authorization = credential is null ? null : Basic(credential) },
        };
    }

    /// <summary>OAuth2 as the distribution project's token specification has it: a refresh token for an access token.</summary>
    private static HttpRequestMessage Exchange(Uri address, string service, string scope, string identityToken) => new(HttpMethod.Post, address)
    {
        Content = new FormUrlEncodedContent(
        [
            new("grant_type", "refresh_token"), new("service", service), new("client_id", ClientId), new("scope", scope), new("refresh_token", identityToken),
        ]),
    };

    private async Task<IReadOnlyList<RegistryCredential?>> CandidatesAsync(CancellationToken ct)
    {
        var own = await OwnAsync(ct);
        List<RegistryCredential?> all = [.. credentials, .. own is null ? Array.Empty<RegistryCredential?>() : [own]];
        return all.Count > 0 ? all : [null];
    }

    private async Task<RegistryCredential?> OwnAsync(CancellationToken ct)
    {
        if (access.Username is null || access.PasswordFile is null)
        {
            return null;
        }

        try
        {
            return new RegistryCredential { Username = access.Username, Password = (await File.ReadAllTextAsync(access.PasswordFile, ct)).Split('\n')[0].TrimEnd('\r') };
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new ImagePullException($"The password file {access.PasswordFile} cannot be read; correct passwordFile.", unreadable);
        }
    }

    private static AuthenticationHeaderValue Basic(RegistryCredential credential) =>
        new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credential.Username}:{credential.Password}")));

    [GeneratedRegex(@"([A-Za-z_]+)=""([^""]*)""")]
    private static partial Regex Parameter();
}
