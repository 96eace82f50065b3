using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>
/// The value of a Secret's <c>.dockerconfigjson</c>: <c>auths</c> → registry → <c>auth</c>, <c>username</c>, <c>password</c>,
/// <c>identitytoken</c>. A registry is matched as Kubernetes does: host, optional port, optional path; <c>*</c> within a label.
/// </summary>
internal sealed class DockerConfig
{
    /// <summary>The key in the Secret.</summary>
    public const string Key = ".dockerconfigjson";

    private readonly IReadOnlyList<(string Host, string Path, RegistryCredential Credential)> _entries;

    private DockerConfig(IEnumerable<(string Host, string Path, RegistryCredential Credential)> entries) =>
        _entries = [.. entries.OrderByDescending(entry => entry.Path.Length).ThenBy(entry => entry.Host.Contains('*', StringComparison.Ordinal))];

    /// <param name="json">What the Secret holds.</param>
    /// <param name="config">What it says.</param>
    /// <param name="problem">What is wrong with it; never a part of it.</param>
    public static bool TryRead(ReadOnlySpan<byte> json, [NotNullWhen(true)] out DockerConfig? config, [NotNullWhen(false)] out string? problem)
    {
        config = null;
        problem = null;
        try
        {
            if (JsonSerializer.Deserialize(json, DockerConfigJson.Default.DockerConfigDocument)?.Auths is not { } auths)
            {
                problem = $"'{Key}' has no 'auths'";
                return false;
            }

            List<(string, string, RegistryCredential)> entries = [];
            foreach (var (registry, entry) in auths)
            {
                if (CredentialOf(entry) is { } credential)
                {
                    var (host, path) = Split(registry);
                    entries.Add((host, path, credential));
                }
                else
                {
                    problem = $"'{Key}' gives '{registry}' neither auth (base64 of user:password), nor username and password, nor identitytoken";
                    return false;
                }
            }

            config = new DockerConfig(entries);
            return true;
        }
        catch (JsonException)
        {
            problem = $"'{Key}' is not the JSON that 'docker login' writes";
            return false;
        }
    }

    public IEnumerable<RegistryCredential> For(string host, string repository) => _entries
        .Where(entry => Matches(entry.Host, host) && (entry.Path.Length == 0 || repository == entry.Path || repository.StartsWith(entry.Path + "/", StringComparison.Ordinal)))
        .Select(entry => entry.Credential);

    private static (string Host, string Path) Split(string registry)
    {
        var start = registry.IndexOf("://", StringComparison.Ordinal);
        var (host, path) = (start < 0 ? registry : registry[(start + 3)..]).Split('/', 2) is [var left, var right] ? (left, right.Trim('/')) : (registry[(start < 0 ? 0 : start + 3)..], "");

        // docker login writes https://index.docker.io/v1/; the version is no part of a repository.
        return (host == "index.docker.io" ? "docker.io" : host, path is "v1" or "v2" ? "" : path);
    }

    private static bool Matches(string pattern, string host)
    {
        var (wanted, actual) = (pattern.Split('.'), host.Split('.'));
        return wanted.Length == actual.Length && wanted.Zip(actual).All(pair => LabelMatches(pair.First, pair.Second));
    }

    private static bool LabelMatches(string pattern, string label)
    {
        if (pattern.Split('*', 2) is not [var head, var tail])
        {
            return pattern.Equals(label, StringComparison.OrdinalIgnoreCase);
        }

        return label.Length >= head.Length + tail.Length
            && label.StartsWith(head, StringComparison.OrdinalIgnoreCase) && label.EndsWith(tail, StringComparison.OrdinalIgnoreCase);
    }

    private static RegistryCredential? CredentialOf(DockerConfigEntry entry)
    {
        var (username, password) = (entry.Username, entry.Password);
        if (entry.Auth is { Length: > 0 } auth)
        {
            try
            {
                if (Encoding.UTF8.GetString(Convert.FromBase64String(auth)).Split(':', 2) is not [var user, var secret])
                {
                    return null;
                }

                (username, password) = (user, secret);
            }
            catch (FormatException)
            {
                return null;
            }
        }

        return string.IsNullOrEmpty(entry.IdentityToken) && (string.IsNullOrEmpty(username) || password is null)
            ? null
            : new RegistryCredential { Username = username ?? "", Password = password ?? "", IdentityToken = string.IsNullOrEmpty(entry.IdentityToken) ? null : entry.IdentityToken };
    }
}

internal sealed class DockerConfigDocument
{
    public IReadOnlyDictionary<string, DockerConfigEntry>? Auths { get; init; }
}

internal sealed class DockerConfigEntry
{
    public string? Auth { get; init; }

    public string? Username { get; init; }

    public string? Password { get; init; }

    [JsonPropertyName("identitytoken")]
    public string? IdentityToken { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(DockerConfigDocument))]
internal sealed partial class DockerConfigJson : JsonSerializerContext;
