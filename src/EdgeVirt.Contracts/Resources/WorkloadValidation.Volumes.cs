namespace EdgeVirt.Contracts.Resources;

internal static partial class WorkloadValidation
{
    // Below it, ext4 has no journal, and a power cut would damage it.
    private const decimal LeastPersistent = 16 << 20;
    private const decimal LeastEmptyDir = 1 << 20;

    private static HashSet<string> ValidateVolumes(IReadOnlyList<VolumeSpec> volumes, string path, Validation v)
    {
        var names = new HashSet<string>();
        var persistent = new HashSet<string>();
        for (var i = 0; i < volumes.Count; i++)
        {
            Name(volumes[i].Name, $"{path}[{i}].name", names, v);
            object?[] sources = [volumes[i].EmptyDir, volumes[i].PersistentVolume, volumes[i].HostPath, volumes[i].Secret, volumes[i].Config];
            if (sources.Count(given => given is not null) != 1)
            {
                v.Add($"{path}[{i}]", "give exactly one of emptyDir, persistentVolume, hostPath, secret and config");
            }

            AtLeast(volumes[i].EmptyDir?.SizeLimit, LeastEmptyDir, "1Mi", $"{path}[{i}].emptyDir.sizeLimit", v);
            AtLeast(volumes[i].PersistentVolume?.SizeLimit, LeastPersistent, "16Mi", $"{path}[{i}].persistentVolume.sizeLimit", v);
            if (volumes[i].HostPath is { } host && !IsAbsolute(host.Path))
            {
                v.Add($"{path}[{i}].hostPath.path", "must be an absolute path without '..'");
            }

            if (volumes[i].PersistentVolume is { } source)
            {
                Name(source.VolumeName, $"{path}[{i}].persistentVolume.volumeName", persistent, v);
            }

            Mode(volumes[i].Secret?.DefaultMode, $"{path}[{i}].secret.defaultMode", v);
            Mode(volumes[i].Config?.DefaultMode, $"{path}[{i}].config.defaultMode", v);
            Items(volumes[i].Secret?.Items, $"{path}[{i}].secret.items", v);
            Items(volumes[i].Config?.Items, $"{path}[{i}].config.items", v);
        }

        return names;
    }

    private static void Items(IReadOnlyList<KeyToPath>? items, string path, Validation v)
    {
        if (items is { Count: 0 })
        {
            v.Add(path, "names no key; leave it out to have all");
        }

        var paths = new HashSet<string>();
        for (var i = 0; i < (items?.Count ?? 0); i++)
        {
            var parts = items![i].Path.Split('/');
            if (items[i].Path.Contains('\0', StringComparison.Ordinal) || Array.Exists(parts, part => part is "" or "." or "..") || parts[0].StartsWith("..", StringComparison.Ordinal))
            {
                v.Add($"{path}[{i}].path", "must be a relative path, without '.' and '..' in it and not beginning with '..'");
            }
            else if (!paths.Add(items[i].Path))
            {
                v.Add($"{path}[{i}].path", $"'{items[i].Path}' is there twice");
            }
            else if (items.Any(other => other.Path.StartsWith(items[i].Path + "/", StringComparison.Ordinal)))
            {
                v.Add($"{path}[{i}].path", $"'{items[i].Path}' cannot be both a file and a directory");
            }

            Mode(items[i].Mode, $"{path}[{i}].mode", v);
        }
    }

    private static void SubPath(string? subPath, string path, Validation v)
    {
        if (subPath is not null && (subPath.Length == 0 || subPath.StartsWith('/') || subPath.Contains('\0', StringComparison.Ordinal) || subPath.Split('/').Contains("..")))
        {
            v.Add(path, "must be a relative path without '..'");
        }
    }

    private static void Mode(int? mode, string path, Validation v)
    {
        if (mode is < 0 or > 0x1FF)
        {
            v.Add(path, "must be permission bits between 0 and 0777, written as octal with a leading 0");
        }
    }
}
