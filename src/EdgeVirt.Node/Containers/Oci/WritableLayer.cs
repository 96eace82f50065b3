using EdgeVirt.Linux;
using EdgeVirt.Linux.Storage;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>
/// Where a run keeps what it writes to its root: a directory on the data partition or, with a limit, an ext4 image of that
/// size, so that who fills it fills nothing else (decision 0010). It goes with the run.
/// </summary>
internal sealed class WritableLayer(NodeDirectories directories)
{
    private const string Upper = "upper";
    private const string Work = "work";

    /// <summary>Makes it, empty.</summary>
    /// <param name="id">Of the run; it was never prepared before.</param>
    /// <param name="limit">Bytes; null: none.</param>
    /// <param name="ct">Gives up.</param>
    /// <returns>Two directories for overlayfs, on one file system.</returns>
    /// <exception cref="IOException">There is no space, or the disk failed.</exception>
    public async Task<(string Upper, string Work)> PrepareAsync(string id, long? limit, CancellationToken ct)
    {
        var place = directories.Container(id);
        if (limit is { } bytes)
        {
            place = directories.WritableMount(id);
            Directory.CreateDirectory(place);
            await Ext4Image.CreateAsync(directories.WritableImage(id), bytes, reserve: false, ct);
            await Ext4Image.MountAsync(directories.WritableImage(id), place, ct);
        }

        var (upper, work) = (Path.Combine(place, Upper), Path.Combine(place, Work));
        Directory.CreateDirectory(upper);
        Directory.CreateDirectory(work);
        return (upper, work);
    }

    /// <summary>Frees it; the root that it was a part of is no longer mounted. Can be repeated.</summary>
    public void Remove(string id)
    {
        var mount = directories.WritableMount(id);
        while (Mounts.Unmount(mount, detach: true))
        {
        }

        foreach (var directory in (string[])[mount, Path.Combine(directories.Container(id), Upper), Path.Combine(directories.Container(id), Work)])
        {
            if (Directory.Exists(directory))
            {
                Directory.Delete(directory, recursive: true);
            }
        }

        File.Delete(directories.WritableImage(id));
    }
}
