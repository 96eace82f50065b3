using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>Answers a registry's challenge: basic credentials, or a bearer token from the realm that it names.</summary>
internal sealed partial class RegistryAuthorization(HttpClient http, RegistryAccess access, string repository)
{
    private const int MaxTokenBytes = 64 << 10;

    /// <summary>What to send along; null until the registry asked.</summary>
    public AuthenticationHeaderValue? Current { get; private set; }

    /// <summary>Whether there is now something new to send.</summary>
    public async Task<bool> AnswerAsync(HttpResponseMessage challenged, CancellationToken ct)
    {
        // After a redirect the answer is another host's: it gets no credentials of this registry.
        if (challenged.RequestMessage?.RequestUri is not { } asked || asked.Authority != access.Url.Authority || asked.Scheme != access.Url.Scheme)
        {
            return false;
        }

        foreach (var challenge in challenged.Headers.WwwAuthenticate)
        {
            if (challenge.Scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase) && challenge.Parameter is { } parameters)
            {
                Current = new AuthenticationHeaderValue("Bearer", await FetchTokenAsync(parameters, ct));
                return true;
            }

            if (challenge.Scheme.Equals("Basic", StringComparison.OrdinalIgnoreCase) && Current is null && await BasicAsync(ct) is { } basic)
            {
                Current = basic;
                return true;
            }
        }

        return false;
    }

    private async Task<string> FetchTokenAsync(string parameters, CancellationToken ct)
    {
        var values = Parameter().Matches(parameters).ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value, StringComparer.OrdinalIgnoreCase);
        if (!values.TryGetValue("realm", out var realm) || !Uri.TryCreate(realm, UriKind.Absolute, out var address)
            || (address.Scheme != Uri.UriSchemeHttps && address.Scheme != access.Url.Scheme))
        {
            throw new ImagePullException("The registry names no usable place to get a token from; look at its token configuration.");
        }

        var query = $"service={Uri.EscapeDataString(values.GetValueOrDefault("service", ""))}&scope={Uri.EscapeDataString($"repository:{repository}:pull")}";
        using var request = new HttpRequestMessage(HttpMethod.Get, new UriBuilder(address) { Query = string.Join('&', new[] { address.Query.TrimStart('?'), query }.Where(part => part.Length > 0)) }.Uri);
        request.Headers.Authorization = await BasicAsync(ct);
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        if (!response.IsSuccessStatusCode)
        {
            throw new ImagePullException($"The token service {address.Authority} answered {(int)response.StatusCode}; check username and passwordFile under Registries.") { IsPassing = (int)response.StatusCode >= 500 };
        }

        try
        {
            var body = await BoundedBody.ReadAsync(response.Content, MaxTokenBytes, "token", ct);
            var token = JsonSerializer.Deserialize(body, ImageJson.Default.TokenDocument);
            return token?.Token ?? token?.AccessToken ?? throw new ImagePullException($"The token service {address.Authority} gave no token.");
        }
        catch (JsonException)
        {
            throw new ImagePullException($"The token service {address.Authority} gave no token.");
        }
    }

    private async Task<AuthenticationHeaderValue?> BasicAsync(CancellationToken ct)
    {
        if (access.Username is null || access.PasswordFile is null)
        {
            return null;
        }

        try
        {
            var password = (await File.ReadAllTextAsync(access.PasswordFile, ct)).Split('\n')[0].TrimEnd('\r');
            return new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{access.Username}:{password}")));
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new ImagePullException($"The password file {access.PasswordFile} cannot be read; correct passwordFile.", unreadable);
        }
    }

    [GeneratedRegex(@"([A-Za-z_]+)=""([^""]*)""")]
    private static partial Regex Parameter();
}
