using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;
using EdgeVirt.Linux.Storage;

namespace EdgeVirt.Node.Containers.Volumes;

/// <summary>Makes the volumes of a workload that hold data: emptyDirs and persistent ones.</summary>
internal sealed class WorkloadVolumes(NodeDirectories directories, PersistentVolumes persistent)
{
    /// <summary>As in Kubernetes, whoever the container runs as may write.</summary>
    public const UnixFileMode Everybody = (UnixFileMode)0x1FF;

    private const string Disk = ".ext4";
    private const string Limited = ".limited";
    private const string Memory = ".memory";
    private const string HugePages = ".hugepages";
    private const string Data = "data";

    /// <summary>Makes and mounts what is not there yet, also after a reboot. Can be repeated.</summary>
    /// <exception cref="StartFailedException">One cannot be had.</exception>
    public async Task PrepareAsync(SandboxRecord sandbox, WorkloadTarget target, CancellationToken ct)
    {
        var volumes = target.Template.Volumes ?? [];
        persistent.Uses.Write(sandbox.Id, target.Workload.Name, [.. volumes.Where(volume => volume.PersistentVolume is not null).Select(volume => volume.PersistentVolume!.VolumeName)]);
        foreach (var volume in volumes)
        {
            try
            {
                await (volume switch
                {
                    { PersistentVolume: { } source } => persistent.MountAsync(source.VolumeName, (long)source.SizeLimit.Value, ct),
                    { EmptyDir: { } source } => PrepareAsync(sandbox.Id, volume.Name, source, ct),
                    _ => Task.CompletedTask,
                });
                if (target.Template.SecurityContext?.FsGroup is { } group && volume is { HostPath: null, Secret: null, Config: null })
                {
                    GroupAccess.Grant(PathOf(volume, sandbox.Id), (uint)group);
                }
            }
            catch (Exception e) when (e is IOException or VolumeRefusedException)
            {
                throw new StartFailedException($"volume '{volume.Name}': {e.Message}", e);
            }
        }
    }

    /// <summary>Where a volume's data lie.</summary>
    public string PathOf(VolumeSpec volume, string sandboxId) => volume switch
    {
        { PersistentVolume: { } source } => persistent.PathOf(source.VolumeName),
        { EmptyDir: { } source } => EmptyDirPath(sandboxId, volume.Name, source),
        _ => Path.Combine(directories.SecretVolumes(sandboxId), volume.Name),
    };

    /// <summary>Lets go of persistent volumes and, with <paramref name="emptyDirs"/>, removes emptyDirs.</summary>
    public async Task RemoveAsync(string sandboxId, bool emptyDirs, CancellationToken ct)
    {
        foreach (var volume in persistent.Uses.Remove(sandboxId))
        {
            await persistent.ReleaseAsync(volume, ct);
        }

        if (emptyDirs)
        {
            Mounts.UnmountBelow(directories.EmptyDirs(sandboxId));
        }
    }

    private string EmptyDirPath(string sandboxId, string name, EmptyDirSource source)
    {
        var plain = Path.Combine(directories.EmptyDirs(sandboxId), name);
        return source switch
        {
            { Medium: EmptyDirMedium.Memory } => Path.Combine(plain + Memory, Data),
            { Medium: EmptyDirMedium.HugePages } => Path.Combine(plain + HugePages, Data),
            { SizeLimit: not null } => Path.Combine(plain + Limited, Data),
            _ => plain,
        };
    }

    private async Task PrepareAsync(string sandboxId, string name, EmptyDirSource source, CancellationToken ct)
    {
        var path = EmptyDirPath(sandboxId, name, source);
        var mount = Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(mount);
        switch (source)
        {
            case { Medium: { } medium }:
                var size = source.SizeLimit is { } most ? $",size={(long)most.Value}" : "";
                var again = Mounts.IsMounted(mount) ? MountFlags.Remount : MountFlags.None;
                Mounts.Mount("edgevirt", mount, medium == EmptyDirMedium.Memory ? "tmpfs" : "hugetlbfs", again | MountFlags.NoSuid | MountFlags.NoDev, $"mode=0755{size}");
                break;
            case { SizeLimit: { } limit }:
                await MountAsync(mount, Path.Combine(directories.EmptyDirs(sandboxId), name + Disk), (long)limit.Value, ct);
                break;
        }

        if (!Directory.Exists(path))
        {
            Directory.CreateDirectory(path);
            File.SetUnixFileMode(path, Everybody);
        }
    }

    // It grows with the limit, and does not shrink with it: nothing that is in it is thrown away for that.
    private static async Task MountAsync(string mount, string image, long bytes, CancellationToken ct)
    {
        if (!File.Exists(image))
        {
            // Under a name of its own until it is whole.
            var begun = image + ".new";
            File.Delete(begun);
            await Ext4Image.CreateAsync(begun, bytes, reserve: false, ct);
            File.Move(begun, image);
        }

        if (new FileInfo(image).Length < bytes)
        {
            await Ext4Image.GrowAsync(image, bytes, reserve: false, ct);
        }

        if (!Mounts.IsMounted(mount))
        {
            await Ext4Image.MountAsync(image, mount, ct);
        }
    }
}
