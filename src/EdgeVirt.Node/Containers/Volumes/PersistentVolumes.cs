using System.Collections.Concurrent;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;
using EdgeVirt.Linux.Storage;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers.Volumes;

/// <summary>
/// The node's named volumes: an ext4 image each, whose space is taken from the data partition when it is made. One is mounted as
/// long as some workload has it. Nothing but <see cref="DeleteAsync"/> removes one.
/// </summary>
internal sealed partial class PersistentVolumes(NodeDirectories directories, ILogger<PersistentVolumes> log)
{
    private const string Disk = "disk.ext4";
    private const string Data = "data";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, Turn> turns = new();

    public VolumeUses Uses { get; } = new(directories);

    /// <summary>Where a volume's data appear as long as it is mounted.</summary>
    public string PathOf(string volume) => Path.Combine(directories.PersistentMount(volume), Data);

    /// <summary>Makes a volume if need be, lets it grow to a size, and mounts it.</summary>
    /// <exception cref="VolumeRefusedException">It is being restored, or would have to shrink.</exception>
    /// <exception cref="IOException">There is no space, or the disk failed.</exception>
    public async Task MountAsync(string volume, long bytes, CancellationToken ct)
    {
        using var turn = await TakeAsync(volume, Patience, ct);
        if (!Exists(volume))
        {
            await CreateAsync(volume, bytes, restore: null, ct);
            LogMade(volume, bytes);
        }

        var has = SizeOf(volume);
        if (bytes > has)
        {
            if (await Ext4Image.GrowAsync(ImageOf(volume), bytes, reserve: true, ct))
            {
                LogGrown(volume, bytes);
            }
            else
            {
                LogSmaller(volume, has, bytes);
            }
        }
        else if (bytes < has)
        {
            LogLarger(volume, has, bytes);
        }

        await MountAsync(volume, ct);
    }

    /// <summary>Unmounts a volume if nobody has it any more.</summary>
    public async Task ReleaseAsync(string volume, CancellationToken ct)
    {
        using var turn = await TakeAsync(volume, Patience, ct);
        Release(volume, turn);
    }

    /// <summary>What is there.</summary>
    public LocalVolumeList List() => new()
    {
        Items = [.. Names().Order(StringComparer.Ordinal).Select(name => new LocalVolume
        {
            Name = name,
            SizeBytes = SizeOf(name),
            UsedBytes = Mounts.IsMounted(directories.PersistentMount(name)) && new DriveInfo(directories.PersistentMount(name)) is var drive ? drive.TotalSize - drive.TotalFreeSpace : null,
            CreatedAt = new DateTimeOffset(Directory.GetCreationTimeUtc(directories.PersistentVolume(name))),
            UsedBy = Uses.WorkloadsOf(name),
        })],
    };

    /// <summary>Removes a volume with all that is in it.</summary>
    /// <exception cref="VolumeRefusedException">There is none, or somebody has it.</exception>
    public async Task DeleteAsync(string volume, CancellationToken ct)
    {
        using var turn = await TakeAsync(volume, TimeSpan.Zero, ct);
        MustExist(volume);
        MustBeFree(volume, turn, "deleted");
        var gone = directories.PersistentVolume(volume) + ".deleted";
        Delete(gone);
        Directory.Move(directories.PersistentVolume(volume), gone);
        DurableFile.SyncDirectory(directories.PersistentVolumes);
        Delete(gone);
        LogDeleted(volume);
    }

    /// <summary>Writes a volume's content as a tar. It stays in use meanwhile; what changes while it is read is as it was found.</summary>
    /// <exception cref="VolumeRefusedException">There is none.</exception>
    public async Task BackUpAsync(string volume, Stream tar, CancellationToken ct)
    {
        using (var turn = await TakeAsync(volume, Patience, ct))
        {
            MustExist(volume);
            await MountAsync(volume, ct);
            turn.Of.Readers++;
        }

        try
        {
            await TreeSender.BackUpAsync(PathOf(volume), tar, ct);
        }
        finally
        {
            using var turn = await TakeAsync(volume, Patience, CancellationToken.None);
            turn.Of.Readers--;
            Release(volume, turn);
        }
    }

    /// <summary>Gives a volume the content of a backup: in a new image first, which takes the place of the old one as a whole.</summary>
    /// <param name="volume">Which; nobody has it.</param>
    /// <param name="bytes">Its size where it is not there yet.</param>
    /// <param name="tar">What <see cref="BackUpAsync"/> wrote; it throws where it broke off.</param>
    /// <param name="ct">Gives up; the volume is as before.</param>
    /// <exception cref="VolumeRefusedException">Somebody has it, or there is none and no size.</exception>
    /// <exception cref="IOException">It does not fit, or the disk failed; the volume is as before.</exception>
    /// <exception cref="InvalidDataException">It is no backup; the volume is as before.</exception>
    public async Task RestoreAsync(string volume, long bytes, Stream tar, CancellationToken ct)
    {
        using var turn = await TakeAsync(volume, TimeSpan.Zero, ct);
        if (Exists(volume))
        {
            MustBeFree(volume, turn, "restored");
            bytes = SizeOf(volume);
        }
        else if (bytes <= 0)
        {
            throw new VolumeRefusedException($"There is no volume '{volume}' on this node; say how large it is to be (--size).", isMissing: true);
        }

        await CreateAsync(volume, bytes, tar, ct);
        LogRestored(volume);
    }

    // In a directory of another name first: a volume that is there is whole.
    private async Task CreateAsync(string volume, long bytes, Stream? restore, CancellationToken ct)
    {
        var (begun, mount) = (directories.PersistentVolume(volume) + ".new", directories.PersistentMount(volume) + ".new");
        Directory.CreateDirectory(directories.PersistentVolumes, OwnerOnly);
        Mounts.UnmountBelow(mount, detach: true);
        Delete(begun);
        try
        {
            Directory.CreateDirectory(begun, OwnerOnly);
            var image = Path.Combine(begun, Disk);
            await Ext4Image.CreateAsync(image, bytes, reserve: true, ct);
            Directory.CreateDirectory(mount, OwnerOnly);
            await Ext4Image.MountAsync(image, mount, ct);
            var data = Path.Combine(mount, Data);
            Directory.CreateDirectory(data);
            File.SetUnixFileMode(data, WorkloadVolumes.Everybody);
            if (restore is not null)
            {
                await VolumeRestore.RunAsync(restore, data, ct);
            }

            Mounts.Unmount(mount);
            DurableFile.Sync(image);
            Place(volume, begun);
        }
        finally
        {
            Mounts.UnmountBelow(mount, detach: true);
            Delete(begun);
            Delete(mount);
        }
    }

    private void Place(string volume, string begun)
    {
        if (Exists(volume))
        {
            File.Move(Path.Combine(begun, Disk), ImageOf(volume), overwrite: true);
            DurableFile.SyncDirectory(directories.PersistentVolume(volume));
        }
        else
        {
            Delete(directories.PersistentVolume(volume));
            Directory.Move(begun, directories.PersistentVolume(volume));
            DurableFile.SyncDirectory(directories.PersistentVolumes);
        }
    }

    private async Task MountAsync(string volume, CancellationToken ct)
    {
        var target = directories.PersistentMount(volume);
        if (!Mounts.IsMounted(target))
        {
            Directory.CreateDirectory(target, OwnerOnly);
            await Ext4Image.MountAsync(ImageOf(volume), target, ct);
        }
    }

    private void Release(string volume, Hold turn)
    {
        if (turn.Of.Readers > 0 || Uses.WorkloadsOf(volume).Count > 0)
        {
            return;
        }

        try
        {
            Mounts.UnmountBelow(directories.PersistentMount(volume));
            Delete(directories.PersistentMount(volume));
        }
        catch (LinuxException e)
        {
            // Somebody on the board looks into it. It is whole as it is, and let go of the next time.
            LogInUse(volume, e.Message);
        }
    }

    private void MustExist(string volume)
    {
        if (!Exists(volume))
        {
            throw new VolumeRefusedException($"There is no volume '{volume}' on this node; edgevirt volume list shows what there is.", isMissing: true);
        }
    }

    private void MustBeFree(string volume, Hold turn, string verb)
    {
        if (Uses.WorkloadsOf(volume) is { Count: > 0 } workloads)
        {
            throw new VolumeRefusedException(
                $"Volume '{volume}' belongs to workload {string.Join(", ", workloads)} and cannot be {verb} meanwhile; take the workload off this node first (replicas: 0, or delete it).");
        }

        if (turn.Of.Readers > 0)
        {
            throw new VolumeRefusedException($"Volume '{volume}' is being backed up; try again when that is done.");
        }

        Release(volume, turn);
        if (LoopDevice.Find(ImageOf(volume)) is { } device)
        {
            throw new VolumeRefusedException($"Volume '{volume}' is still in use on the node, as {device}; end what uses it there, and try again.");
        }
    }

    private async Task<Hold> TakeAsync(string volume, TimeSpan patience, CancellationToken ct)
    {
        if (ResourceName.Problem(volume) is { } problem)
        {
            throw new VolumeRefusedException($"The volume name '{volume}' {problem}.");
        }

        var turn = turns.GetOrAdd(volume, _ => new Turn());
        return await turn.Gate.WaitAsync(patience, ct)
            ? new Hold(turn)
            : throw new VolumeRefusedException($"Volume '{volume}' is just being made, deleted or restored; try again when that is done.");
    }

    private IEnumerable<string> Names() => Directory.Exists(directories.PersistentVolumes)
        ? Directory.EnumerateDirectories(directories.PersistentVolumes).Select(path => Path.GetFileName(path)!).Where(name => ResourceName.IsValid(name) && Exists(name))
        : [];

    private bool Exists(string volume) => File.Exists(ImageOf(volume));

    private long SizeOf(string volume) => new FileInfo(ImageOf(volume)).Length;

    private string ImageOf(string volume) => Path.Combine(directories.PersistentVolume(volume), Disk);

    private static void Delete(string directory)
    {
        if (Directory.Exists(directory) && !Mounts.IsMounted(directory))
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Volume {Volume} was made, {Bytes} bytes")]
    private partial void LogMade(string volume, long bytes);

    [LoggerMessage(Level = LogLevel.Information, Message = "Volume {Volume} has grown to {Bytes} bytes")]
    private partial void LogGrown(string volume, long bytes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Volume {Volume} stays at {Bytes} bytes and grows to {Asked} when nobody has it: without CAP_SYS_RESOURCE the agent cannot let it grow while it is in use")]
    private partial void LogSmaller(string volume, long bytes, long asked);

    [LoggerMessage(Level = LogLevel.Information, Message = "Volume {Volume} has {Bytes} bytes, more than the {Asked} that are asked for; volumes do not shrink")]
    private partial void LogLarger(string volume, long bytes, long asked);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Volume {Volume} was deleted, as asked for")]
    private partial void LogDeleted(string volume);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Volume {Volume} was restored from a backup, as asked for")]
    private partial void LogRestored(string volume);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Volume {Volume} stays mounted: {Problem}")]
    private partial void LogInUse(string volume, string problem);

    private sealed class Turn
    {
        public SemaphoreSlim Gate { get; } = new(1, 1);

        /// <summary>Backups that read it.</summary>
        public int Readers { get; set; }
    }

    private sealed class Hold(Turn turn) : IDisposable
    {
        public Turn Of => turn;

        public void Dispose() => turn.Gate.Release();
    }
}
