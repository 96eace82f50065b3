using System.Text;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers.Volumes;

/// <summary>A Secret or Config as files, worked out from the volume's spec. Pure.</summary>
internal static class Projection
{
    private const int DefaultMode = 0x1A4; // 0644
    private const int GroupRead = 0x20; // 0040

    /// <summary>What is missing of a volume's source; null: nothing, or it is optional.</summary>
    public static string? ProblemOf(VolumeSpec volume, References references)
    {
        if (SourceOf(volume, references) is not { } source || source.Optional)
        {
            return null;
        }

        if (source.Data is null)
        {
            return $"volume '{volume.Name}' wants {source.Name}, which does not exist; apply it";
        }

        return source.Items?.FirstOrDefault(item => !source.Data.ContainsKey(item.Key)) is { } missing
            ? $"volume '{volume.Name}' wants key '{missing.Key}' of {source.Name}, which it does not have; add it there"
            : null;
    }

    /// <summary>Files by path below the volume; empty where an optional source is missing.</summary>
    /// <param name="volume">A Secret's or Config's.</param>
    /// <param name="references">The Secrets and Configs there are.</param>
    /// <param name="groupReads">Whether the group may read them whatever their mode says, as with fsGroup.</param>
    /// <exception cref="StartFailedException">Something is missing that is not optional.</exception>
    public static IReadOnlyDictionary<string, ProjectedFile> FilesOf(VolumeSpec volume, References references, bool groupReads)
    {
        if (ProblemOf(volume, references) is { } problem)
        {
            throw new StartFailedException(problem);
        }

        var files = new SortedDictionary<string, ProjectedFile>(StringComparer.Ordinal);
        if (SourceOf(volume, references) is not { Data: { } data } source)
        {
            return files;
        }

        foreach (var item in source.Items ?? [.. data.Keys.Select(key => new KeyToPath { Key = key, Path = key })])
        {
            if (data.TryGetValue(item.Key, out var content))
            {
                var mode = (item.Mode ?? source.Mode ?? DefaultMode) | (groupReads ? GroupRead : 0);
                files[string.Join('/', item.Path.Split('/').Where(part => part is not ("" or ".")))] = new ProjectedFile(content, (UnixFileMode)mode);
            }
        }

        return files;
    }

    private static Source? SourceOf(VolumeSpec volume, References references) => volume switch
    {
        { Secret: { } secret } => new($"Secret '{secret.SecretName}'", references.Secret(secret.SecretName), secret.Items, secret.DefaultMode, secret.Optional),
        { Config: { } config } => new(
            $"Config '{config.Name}'", references.Config(config.Name)?.ToDictionary(pair => pair.Key, pair => Encoding.UTF8.GetBytes(pair.Value)), config.Items, config.DefaultMode, config.Optional),
        _ => null,
    };

    private sealed record Source(string Name, IReadOnlyDictionary<string, byte[]>? Data, IReadOnlyList<KeyToPath>? Items, int? Mode, bool Optional);
}

/// <summary>One file of a projection. May be confidential: never log it.</summary>
internal sealed record ProjectedFile(byte[] Content, UnixFileMode Mode);
