using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Linux;

/// <summary>overlayfs roots.</summary>
public static class Overlay
{
    /// <summary>
    /// Mounts layers as one writable tree. Layers are named to the kernel by open descriptors, so that their number hardly
    /// matters: the option string must fit a page, and about 200 fit.
    /// </summary>
    /// <remarks>
    /// What is written does not outlive a power cut: nothing is synced, which spares flash and time. A tree whose machine
    /// went down cannot be mounted again; it begins anew.
    /// </remarks>
    /// <param name="layers">Lowest first, at least one.</param>
    /// <param name="upper">Takes what is written; its path holds no comma.</param>
    /// <param name="work">Empty, on the same file system as <paramref name="upper"/>.</param>
    /// <param name="target">Where the tree appears.</param>
    /// <param name="users">Whose ids the layers' files are to show; null: they show those that they have.</param>
    /// <exception cref="LinuxException">A directory is missing or the kernel refused.</exception>
    public static void Mount(IReadOnlyList<string> layers, string upper, string work, string target, LayerUsers? users = null)
    {
        var descriptors = new List<int>();
        var clones = new List<SafeFileHandle>();
        try
        {
            var lower = string.Join(':', layers.Reverse().Select(Named));
            Mounts.Mount("edgevirt", target, "overlay", MountFlags.None, $"lowerdir={lower},upperdir={upper},workdir={work},volatile");
        }
        finally
        {
            foreach (var descriptor in descriptors)
            {
                _ = Native.Close(descriptor);
            }

            foreach (var clone in clones)
            {
                Mounts.Unmount(users!.Place, detach: true);
                clone.Dispose();
            }
        }

        string Named(string directory)
        {
            if (users is not null)
            {
                var clone = MappedMounts.Clone(directory, users.Namespace, recursive: false);
                try
                {
                    MappedMounts.Place(clone, users.Place);
                }
                catch
                {
                    clone.Dispose();
                    throw;
                }

                clones.Add(clone);
                return $"/proc/self/fd/{clones[^1].DangerousGetHandle()}";
            }

            var descriptor = Native.Open(directory, Native.O_PATH | Native.O_CLOEXEC);
            if (descriptor < 0)
            {
                throw Native.Failure($"open layer {directory}");
            }

            descriptors.Add(descriptor);
            return $"/proc/self/fd/{descriptor}";
        }
    }
}

/// <summary>Whose ids the files of layers show.</summary>
/// <param name="Namespace">Path of their user namespace.</param>
/// <param name="Place">
/// A directory on which the layers are mounted, one upon the other, while the overlay is made: before Linux 6.15 it takes no mount that is
/// nowhere. Whoever ended meanwhile leaves them there.
/// </param>
public sealed record LayerUsers(string Namespace, string Place);
