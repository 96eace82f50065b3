namespace EdgeVirt.Node;

/// <summary>A part of the node's file system that workloads may have as hostPath; words and meaning of Kubernetes' former PodSecurityPolicy.</summary>
internal sealed record AllowedHostPath
{
    /// <summary>Absolute path; it and what is below it may be had.</summary>
    public required string PathPrefix { get; init; }

    /// <summary>Only for mounts that are read-only.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Whether an absolute path is this one or below it. Names alone count; links are not looked at.</summary>
    public bool Covers(string path) => IsWithin(path, PathPrefix);

    /// <summary>Whether a path is a directory's own or below it.</summary>
    public static bool IsWithin(string path, string directory)
    {
        var prefix = directory.TrimEnd('/');
        return path == directory || path == prefix || path.StartsWith(prefix + "/", StringComparison.Ordinal);
    }

    /// <summary>What is wrong with the entries of the options file.</summary>
    public static IEnumerable<string> Faults(IReadOnlyList<AllowedHostPath> paths) => paths
        .Select((path, at) => (path, at))
        .Where(pair => !IsPlain(pair.path.PathPrefix))
        .Select(pair => $"allowedHostPaths[{pair.at}].pathPrefix must be an absolute path without '..'");

    private static bool IsPlain(string path) => path.StartsWith('/') && !path.Split('/').Contains("..");
}
