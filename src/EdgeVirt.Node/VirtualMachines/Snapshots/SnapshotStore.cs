using System.Text.Json;
using EdgeVirt.Linux;
using EdgeVirt.Node.VirtualMachines.Disks;

namespace EdgeVirt.Node.VirtualMachines.Snapshots;

/// <summary>Where <see cref="SnapshotState"/> lies: a small file beside the machine's record.</summary>
internal static class SnapshotStore
{
    private const UnixFileMode OwnerFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>What is written down; <see cref="SnapshotState.None"/> where nothing is.</summary>
    /// <exception cref="DiskUnavailableException">It cannot be read. A start without it would write to layers that snapshots need, so there is none.</exception>
    public static SnapshotState Read(VmPaths paths)
    {
        try
        {
            return File.Exists(paths.Snapshots) ? JsonSerializer.Deserialize(File.ReadAllBytes(paths.Snapshots), SnapshotsJson.Default.SnapshotState)! : SnapshotState.None;
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            throw new DiskUnavailableException($"{paths.Snapshots} cannot be read, so it is not known what the disks are made of: {e.Message}; put it back from a backup", e);
        }
    }

    /// <summary>Writes it durably.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public static SnapshotState Write(VmPaths paths, SnapshotState state)
    {
        DurableFile.Write(paths.Snapshots, JsonSerializer.SerializeToUtf8Bytes(state, SnapshotsJson.Default.SnapshotState), OwnerFile);
        return state;
    }
}
