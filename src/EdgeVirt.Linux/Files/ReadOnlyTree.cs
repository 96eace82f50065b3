using System.Text;
using Microsoft.Win32.SafeHandles;
using static EdgeVirt.Linux.Files.FileCalls;

namespace EdgeVirt.Linux.Files;

/// <summary>
/// Reads regular files beneath one directory and never outside of it: no symbolic link is followed anywhere on a path, and
/// <c>..</c> leads nowhere (openat2(2) with RESOLVE_BENEATH; before Linux 5.6 nothing can be opened by path). Paths are relative byte strings.
/// </summary>
public sealed class ReadOnlyTree : IDisposable
{
    private const int MaxDepth = 200;
    private static readonly int s_readFile = NoFollow | Native.O_NONBLOCK | CloseOnExec;

    private readonly SafeFileHandle _root;

    private ReadOnlyTree(SafeFileHandle root) => _root = root;

    /// <summary>Opens a directory; null: it is not there, or is none.</summary>
    public static ReadOnlyTree? OpenOrNull(string path)
    {
        var descriptor = FileCalls.Open(Terminated(Encoding.UTF8.GetBytes(path)), DirectoryOnly | NoFollow | CloseOnExec, 0);
        return descriptor < 0 ? null : new ReadOnlyTree(new SafeFileHandle(descriptor, ownsHandle: true));
    }

    /// <summary>Opens a file to read; null: there is no regular file of that name.</summary>
    /// <param name="path">Beneath the tree.</param>
    /// <param name="size">Its size, bytes.</param>
    public SafeFileHandle? OpenFileOrNull(ReadOnlySpan<byte> path, out long size)
    {
        size = 0;
        var descriptor = path.IsEmpty || path.Contains((byte)0) ? -1 : OpenBeneath(_root, path, s_readFile);
        if (descriptor < 0)
        {
            return null;
        }

        var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        if (Status(handle, [], out var stat) == 0 && stat.Type == TypeRegular)
        {
            size = (long)stat.Size;
            return handle;
        }

        handle.Dispose();
        return null;
    }

    /// <summary>Every regular file with its size, bytes; of what was removed meanwhile or cannot be read nothing is told.</summary>
    public IEnumerable<(byte[] Path, long Size)> Files() => FilesIn(_root, [], 0);

    /// <inheritdoc/>
    public void Dispose() => _root.Dispose();

    private static IEnumerable<(byte[] Path, long Size)> FilesIn(SafeFileHandle directory, byte[] prefix, int depth)
    {
        foreach (var name in NamesOrNone(directory))
        {
            if (Status(directory, name, out var stat) != 0)
            {
                continue;
            }

            byte[] path = [.. prefix, .. name];
            if (stat.Type == TypeRegular)
            {
                yield return (path, (long)stat.Size);
            }
            else if (stat.Type == TypeDirectory && depth < MaxDepth && OpenDirectoryOrNull(directory, name) is { } inner)
            {
                using (inner)
                {
                    foreach (var file in FilesIn(inner, [.. path, (byte)'/'], depth + 1))
                    {
                        yield return file;
                    }
                }
            }
        }
    }

    /// <summary>Nothing, where a directory cannot be read any more, as on flash that dies.</summary>
    private static List<byte[]> NamesOrNone(SafeFileHandle directory)
    {
        try
        {
            return FileTree.Names(directory);
        }
        catch (LinuxException)
        {
            return [];
        }
    }

    private static SafeFileHandle? OpenDirectoryOrNull(SafeFileHandle directory, byte[] name)
    {
        var descriptor = OpenAt(directory, Terminated(name), DirectoryOnly | NoFollow | CloseOnExec, 0);
        return descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
    }
}
