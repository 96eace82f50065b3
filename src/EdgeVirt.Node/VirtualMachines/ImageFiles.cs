using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.VirtualMachines.Disks;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>Finds files in unpacked images, without mounting them: the highest layer that has a name decides. No symbolic link is followed.</summary>
internal static class ImageFiles
{
    private const string DiskDirectory = "disk";

    /// <summary>The file at a path in the image.</summary>
    /// <exception cref="DiskRefusedException">There is none, or it is no plain file.</exception>
    public static string Find(StoredImage image, string path)
    {
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length == 0 || parts.Contains("..") || parts.Contains("."))
        {
            throw NotThere(path, "names no file");
        }

        foreach (var layer in image.LayerDirectories.Reverse())
        {
            switch (Look(layer, parts, out var found))
            {
                case EntryKind.File:
                    return found;
                case EntryKind.Other:
                    throw NotThere(path, "is not a plain file in the image, or behind a symbolic link");
                default:
                    continue;
            }
        }

        throw NotThere(path, "is not in the image");
    }

    /// <summary>The one file in <c>/disk</c>, as container disks have it; the one file of an artifact.</summary>
    /// <exception cref="DiskRefusedException">There is none, or more than one.</exception>
    public static string FindDisk(StoredImage image)
    {
        if (image.IsArtifact)
        {
            return FindOnly(image);
        }

        var names = image.LayerDirectories
            .Select(layer => Path.Combine(layer, DiskDirectory))
            .Where(directory => EntryKinds.Of(directory) == EntryKind.Directory)
            .SelectMany(directory => new DirectoryInfo(directory).EnumerateFileSystemInfos().Select(entry => entry.Name))
            .Distinct()
            .Where(name => IsFile(image, $"{DiskDirectory}/{name}"))
            .ToList();
        return names.Count == 1
            ? Find(image, $"{DiskDirectory}/{names[0]}")
            : throw new DiskRefusedException(
                DiskRefusedReason.NotInImage, $"the image has {(names.Count == 0 ? "no file" : $"{names.Count} files")} in /{DiskDirectory}; say which one by path");
    }

    private static string FindOnly(StoredImage artifact)
    {
        var files = artifact.LayerDirectories.SelectMany(Directory.GetFiles).ToList();
        return files.Count == 1
            ? files[0]
            : throw new DiskRefusedException(
                DiskRefusedReason.NotInImage,
                $"the artifact has {files.Count} files{(files.Count == 0 ? "" : $" ({string.Join(", ", files.Select(Path.GetFileName))})")}; say which one by path, as /{(files.Count == 0 ? "disk.qcow2" : Path.GetFileName(files[0]))}");
    }

    private static bool IsFile(StoredImage image, string path)
    {
        try
        {
            return Find(image, path).Length > 0;
        }
        catch (DiskRefusedException)
        {
            return false;
        }
    }

    // Nothing: the layer says nothing of it. Other: it hides what lower layers have, by a whiteout for instance, which is a device.
    private static EntryKind Look(string layer, string[] parts, out string path)
    {
        path = layer;
        for (var i = 0; i < parts.Length; i++)
        {
            path = Path.Combine(path, parts[i]);
            var kind = EntryKinds.Of(path);
            if (i == parts.Length - 1)
            {
                return kind == EntryKind.Directory ? EntryKind.Other : kind;
            }

            if (kind != EntryKind.Directory)
            {
                return kind == EntryKind.Nothing ? kind : EntryKind.Other;
            }
        }

        return EntryKind.Nothing;
    }

    private static DiskRefusedException NotThere(string path, string why) => new(DiskRefusedReason.NotInImage, $"{path} {why}; correct the path or the image");
}
