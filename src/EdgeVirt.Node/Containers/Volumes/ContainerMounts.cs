using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;

namespace EdgeVirt.Node.Containers.Volumes;

/// <summary>
/// Where the volumes of one run lie on the node. What has to be looked up by a path that others can change (host paths, subPath)
/// is opened, checked, and bound to a place of the run's own, which is then what the runtime mounts.
/// </summary>
internal sealed class ContainerMounts(NodeDirectories directories, WorkloadVolumes volumes, HostPaths hostPaths)
{
    /// <summary>Where the data of a mount lie.</summary>
    /// <exception cref="StartFailedException">It is not allowed, leads out, or is not there.</exception>
    public string PathOf(ContainerStart start, VolumeSpec volume, VolumeMount mount)
    {
        var users = directories.UserNamespaceOf(start.Sandbox);
        if (volume.HostPath is null && mount.SubPath is null && users is null)
        {
            return volumes.PathOf(volume, start.Sandbox.Id);
        }

        try
        {
            using var root = volume.HostPath is { } source ? hostPaths.Open(source, mount.ReadOnly) : Open(volumes.PathOf(volume, start.Sandbox.Id));
            using var below = mount.SubPath is { } path ? OpenBelow(root, path, volume, mount) : null;
            var bound = directories.MountSource(start.Record.Id, start.Spec.VolumeMounts!.TakeWhile(other => !ReferenceEquals(other, mount)).Count());
            Directory.CreateDirectory(Path.GetDirectoryName(bound)!);
            // What is read-only is so to its ground: mounts further down would not be.
            if (users is null)
            {
                (below ?? root).BindTo(bound, recursive: !mount.ReadOnly);
            }
            else
            {
                (below ?? root).BindMappedTo(bound, users, recursive: !mount.ReadOnly, volume.IsReadOnlyAt(mount));
            }

            return bound;
        }
        catch (OutsideTreeException e)
        {
            throw new StartFailedException($"volumeMount {mount.MountPath}: subPath {e.Message}; it has to stay within the volume", e);
        }
        catch (IOException e)
        {
            throw new StartFailedException($"volumeMount {mount.MountPath}: {e.Message}", e);
        }
    }

    /// <summary>Frees what a run had.</summary>
    public void Remove(string containerId)
    {
        var own = directories.MountSources(containerId);
        if (Directory.Exists(own))
        {
            Mounts.UnmountBelow(own, detach: true);
            Directory.Delete(own, recursive: true);
        }
    }

    private static PinnedPath Open(string path) => PinnedPath.TryOpen(path) ?? throw new StartFailedException($"{path} is gone");

    // As in Kubernetes, a directory that is missing is made, with the mode of the volume.
    private static PinnedPath OpenBelow(PinnedPath root, string path, VolumeSpec volume, VolumeMount mount) => root.TryOpenBelow(path) ??
        (volume is { Secret: null, Config: null } && !mount.ReadOnly
            ? root.MakeDirectoryBelow(path, root.Mode)
            : throw new StartFailedException($"volumeMount {mount.MountPath}: there is no '{path}' in volume '{volume.Name}'"));
}
