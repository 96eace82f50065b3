using EdgeVirt.Linux;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Node.Telemetry;

/// <summary>The outbox on a real file system.</summary>
/// <param name="directory">Made where it is missing.</param>
/// <param name="setAside">Moves a copy of a damaged file to where people find it.</param>
internal sealed class DiskOutboxStorage(string directory, Action<string> setAside) : IOutboxStorage
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public void EnsureDirectory()
    {
        if (!Directory.Exists(directory))
        {
            Directory.CreateDirectory(directory, Private | UnixFileMode.UserExecute);
            DurableFile.SyncDirectory(Path.GetDirectoryName(Path.GetFullPath(directory))!);
        }
    }

    public IReadOnlyList<string> List() => [.. Directory.EnumerateFiles(directory).Select(path => Path.GetFileName(path))];

    public IOutboxFile Open(string name, bool create)
    {
        var handle = File.OpenHandle(
            PathOf(name),
            create ? FileMode.Create : FileMode.Open,
            FileAccess.ReadWrite,
            FileShare.ReadWrite | FileShare.Delete);
        return new DiskFile(handle);
    }

    public void Rename(string from, string to) => File.Move(PathOf(from), PathOf(to), overwrite: true);

    public void Delete(string name) => File.Delete(PathOf(name));

    public void SyncDirectory() => DurableFile.SyncDirectory(directory);

    public void Quarantine(string name)
    {
        var copy = Path.Combine(directory, "..", $"outbox-{name}");
        File.Copy(PathOf(name), copy, overwrite: true);
        setAside(Path.GetFullPath(copy));
    }

    private string PathOf(string name) => Path.Combine(directory, name);

    private sealed class DiskFile(SafeFileHandle handle) : IOutboxFile
    {
        public long Length => RandomAccess.GetLength(handle);

        public int Read(long offset, Span<byte> target)
        {
            var total = 0;
            while (total < target.Length)
            {
                var read = RandomAccess.Read(handle, target[total..], offset + total);
                if (read == 0)
                {
                    break;
                }

                total += read;
            }

            return total;
        }

        public void Write(long offset, ReadOnlySpan<byte> bytes) => RandomAccess.Write(handle, bytes, offset);

        public void Truncate(long length) => RandomAccess.SetLength(handle, length);

        public void Sync() => DataSync.Flush(handle);

        public void Dispose() => handle.Dispose();
    }
}
