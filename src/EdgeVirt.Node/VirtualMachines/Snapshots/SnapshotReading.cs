using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Qemu;

namespace EdgeVirt.Node.VirtualMachines.Snapshots;

/// <summary>A disk of a snapshot that is read as a whole. Until it is disposed of, its files stay.</summary>
/// <param name="file">The layer, and what shows through it.</param>
/// <param name="user">To whom the files belong.</param>
/// <param name="path">Where it is put together; removed in the end.</param>
/// <param name="over">Called once, on any thread.</param>
internal sealed class SnapshotReading(DiskFile file, Unprivileged user, string path, Action over) : IDisposable
{
    private Action? over = over;

    /// <summary>The one file that <see cref="WriteAsync"/> makes: a qcow2 with nothing below it.</summary>
    public string Path => path;

    /// <summary>Puts it together.</summary>
    /// <exception cref="DiskUnavailableException">qemu-img or the disk failed.</exception>
    public Task WriteAsync(CancellationToken ct) => SnapshotFiles.ExportAsync(file, path, user, ct);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref over, null) is { } end)
        {
            System.IO.File.Delete(path);
            end();
        }
    }
}
