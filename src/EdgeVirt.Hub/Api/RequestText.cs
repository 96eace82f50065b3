using System.Text;

namespace EdgeVirt.Hub.Api;

/// <summary>Bodies and queries as text.</summary>
internal static class RequestText
{
    /// <summary>Largest body of any request to the API.</summary>
    public const long MaxBody = 8 << 20;

    /// <summary>The text decides what it is, whatever a client (curl sends forms by default) says of it.</summary>
    public const string AnyType = "*/*";

    public static async Task<string> ReadAsync(HttpRequest request, CancellationToken ct)
    {
        using var reader = new StreamReader(request.Body, new UTF8Encoding(false, throwOnInvalidBytes: true));
        try
        {
            return await reader.ReadToEndAsync(ct);
        }
        catch (DecoderFallbackException)
        {
            throw new BadHttpRequestException("The body is not UTF-8 text.");
        }
    }

    /// <summary><c>site=oslo,tier=edge</c>: labels that must all be there. Null for an absent selector.</summary>
    public static Dictionary<string, string>? Selector(string? text)
    {
        if (string.IsNullOrEmpty(text))
        {
            return null;
        }

        var selector = new Dictionary<string, string>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            var cut = part.IndexOf('=', StringComparison.Ordinal);
            if (cut <= 0 || part.Contains("!=", StringComparison.Ordinal))
            {
                throw new BadHttpRequestException($"labelSelector takes label=value, several with commas between; '{part}' is not that.");
            }

            selector[part[..cut]] = part[(cut + 1)..].TrimStart('=');
        }

        return selector;
    }
}
