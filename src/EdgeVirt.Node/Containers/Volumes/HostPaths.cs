using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux.Files;

namespace EdgeVirt.Node.Containers.Volumes;

/// <summary>Opens the host paths that the node allows. What is opened is checked, not the name: a symbolic link leads no further than its target is allowed too.</summary>
internal sealed class HostPaths(IReadOnlyList<AllowedHostPath> allowed)
{
    private const uint DirectoryMode = 0x1ED;
    private const uint FileMode = 0x1A4;

    /// <summary>Why a path cannot be had however it looks on the disk; null: it can.</summary>
    public string? Refusal(string path, bool readOnly)
    {
        var covering = allowed.Where(entry => entry.Covers(path)).ToList();
        return covering.Count == 0
            ? $"hostPath {path} is not allowed on this node; add {{\"pathPrefix\": \"{path}\"}} to allowedHostPaths in its agent.json, or leave the volume out"
            : !readOnly && covering.TrueForAll(entry => entry.ReadOnly)
                ? $"hostPath {path} is allowed read-only on this node; set readOnly: true at each of its volumeMounts, or readOnly false in allowedHostPaths of agent.json"
                : null;
    }

    /// <summary>Opens a path, and makes it where its type says so.</summary>
    /// <exception cref="StartFailedException">It is not allowed, or not what it must be.</exception>
    /// <exception cref="IOException">The disk refused.</exception>
    public PinnedPath Open(HostPathSource source, bool readOnly)
    {
        var path = Normal(source.Path);
        if (Refusal(path, readOnly) is { } refusal)
        {
            throw new StartFailedException(refusal);
        }

        var found = PinnedPath.TryOpen(path) ?? (source.Type is HostPathType.DirectoryOrCreate or HostPathType.FileOrCreate ? Make(path, source.Type.Value, readOnly) : null);
        if (found is null)
        {
            throw new StartFailedException($"hostPath {path} does not exist on this node");
        }

        try
        {
            CheckReal(path, found, readOnly);
            if (KindOf(source.Type) is { } wanted && found.Kind != wanted)
            {
                throw new StartFailedException($"hostPath {path} is no {Words(wanted)} on this node");
            }

            return found;
        }
        catch
        {
            found.Dispose();
            throw;
        }
    }

    internal static string Normal(string path) => "/" + string.Join('/', path.Split('/').Where(part => part is not ("" or ".")));

    // Below the nearest directory that is there, which itself is checked: nothing is made through a link that leads out.
    private PinnedPath Make(string path, HostPathType type, bool readOnly)
    {
        var parts = path.TrimStart('/').Split('/');
        var least = type == HostPathType.FileOrCreate ? parts.Length - 1 : 0;
        for (var there = parts.Length - 1; there >= least; there--)
        {
            var parent = "/" + string.Join('/', parts[..there]);
            using var directory = PinnedPath.TryOpen(parent);
            if (directory is null)
            {
                continue;
            }

            var real = directory.RealPath;
            var made = HostPaths.Normal($"{real}/{string.Join('/', parts[there..])}");
            if (!IsAllowed(made, readOnly))
            {
                throw LeadsOut(path, made);
            }

            return type == HostPathType.FileOrCreate ? directory.MakeFile(parts[^1], FileMode) : directory.MakeDirectoryBelow(string.Join('/', parts[there..]), DirectoryMode);
        }

        throw new StartFailedException($"hostPath {path} cannot be made: its directory does not exist on this node");
    }

    private void CheckReal(string path, PinnedPath found, bool readOnly)
    {
        var real = found.RealPath;
        if (real != path && !IsAllowed(real, readOnly))
        {
            throw LeadsOut(path, real);
        }
    }

    // An allowed prefix may itself be reached by links: what it really is counts as allowed.
    private bool IsAllowed(string real, bool readOnly) =>
        Refusal(real, readOnly) is null ||
        allowed.Where(entry => readOnly || !entry.ReadOnly).Any(entry =>
        {
            using var prefix = PinnedPath.TryOpen(entry.PathPrefix);
            return prefix is not null && AllowedHostPath.IsWithin(real, prefix.RealPath);
        });

    private static StartFailedException LeadsOut(string path, string real) =>
        new($"hostPath {path} leads by a symbolic link to {real}, which is not allowed on this node; add it to allowedHostPaths in its agent.json, or leave the volume out");

    private static FileKind? KindOf(HostPathType? type) => type switch
    {
        HostPathType.Directory or HostPathType.DirectoryOrCreate => FileKind.Directory,
        HostPathType.File or HostPathType.FileOrCreate => FileKind.File,
        HostPathType.Socket => FileKind.Socket,
        HostPathType.CharDevice => FileKind.CharacterDevice,
        HostPathType.BlockDevice => FileKind.BlockDevice,
        _ => null,
    };

    private static string Words(FileKind kind) => kind switch
    {
        FileKind.Directory => "directory",
        FileKind.File => "file",
        FileKind.Socket => "socket",
        FileKind.CharacterDevice => "character device",
        _ => "block device",
    };
}
