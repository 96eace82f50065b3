using EdgeVirt.Node.VirtualMachines.Qemu;

namespace EdgeVirt.Node.VirtualMachines.Snapshots;

/// <summary>A disk of a snapshot that is read as a whole. Until it is disposed of, its files stay.</summary>
/// <param name="file">The layer, and what shows through it.</param>
/// <param name="disk">Which disk, and how large.</param>
/// <param name="user">To whom the files belong.</param>
/// <param name="over">Called once, on any thread.</param>
internal sealed class SnapshotReading(DiskFile file, SnapshotDisk disk, Unprivileged user, Action over) : IDisposable
{
    private Action? over = over;

    public DiskFile File => file;

    public SnapshotDisk Disk => disk;

    public Unprivileged User => user;

    public void Dispose() => Interlocked.Exchange(ref over, null)?.Invoke();
}
