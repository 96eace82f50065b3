using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers.Images.Archives;

/// <summary>An image that an archive holds.</summary>
/// <param name="Names">References that the archive gives it; may be none.</param>
/// <param name="Digest">What the source is asked for: an index or manifest.</param>
internal sealed record ArchivedImage(IReadOnlyList<ImageReference> Names, string Digest)
{
    /// <summary>
    /// Reads a name as tools write it. Docker's tools leave out their own registry and the owner of its own images:
    /// <c>nginx:1</c> is <c>docker.io/library/nginx:1</c>. Null: it is no full name (a bare tag, for instance).
    /// </summary>
    public static ImageReference? Named(string? text, bool isDocker)
    {
        if (string.IsNullOrEmpty(text) || text.StartsWith("oci:", StringComparison.Ordinal))
        {
            return null;
        }

        if (isDocker && !HasHost(text))
        {
            text = text.Contains('/', StringComparison.Ordinal) ? $"docker.io/{text}" : $"docker.io/library/{text}";
        }

        return ImageReference.TryParse(text, out var reference, out _) ? reference : null;
    }

    private static bool HasHost(string text) => text.Split('/', 2) is [var host, _] && (host == "localhost" || host.Contains('.', StringComparison.Ordinal) || host.Contains(':', StringComparison.Ordinal));
}
