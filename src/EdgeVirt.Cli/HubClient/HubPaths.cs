using System.Text;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.HubClient;

/// <summary>Paths of the REST API.</summary>
internal static class HubPaths
{
    public static string Of(ResourceKind kind, string? name = null) =>
        name is null ? $"/api/v1/{kind.Plural}" : $"/api/v1/{kind.Plural}/{Uri.EscapeDataString(name)}";

    /// <summary>Adds the query parameters that have a value.</summary>
    public static string Query(string path, params (string Key, string? Value)[] parameters)
    {
        var text = new StringBuilder(path);
        var separator = '?';
        foreach (var (key, value) in parameters)
        {
            if (value is not null)
            {
                text.Append(separator).Append(key).Append('=').Append(Uri.EscapeDataString(value));
                separator = '&';
            }
        }

        return text.ToString();
    }
}
