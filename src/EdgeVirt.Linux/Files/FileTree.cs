using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using static EdgeVirt.Linux.Files.FileCalls;

namespace EdgeVirt.Linux.Files;

/// <summary>Whole trees on disk.</summary>
public static unsafe class FileTree
{
    /// <summary>Offset of <c>d_name</c> in <c>struct dirent</c> of 64-bit Linux.</summary>
    private const int DirentName = 19;

    /// <summary>
    /// Removes a file or a directory with all that is in it, whatever bytes its names are made of
    /// (<see cref="Directory.Delete(string, bool)"/> misses names that are not UTF-8). Follows no symbolic link.
    /// Absence is success.
    /// </summary>
    /// <exception cref="LinuxException">Something could not be removed.</exception>
    public static void Remove(string path)
    {
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        var descriptor = Open(Terminated(Encoding.UTF8.GetBytes(Path.GetDirectoryName(full)!)), DirectoryOnly | CloseOnExec, 0);
        if (descriptor < 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error == ENOENT)
            {
                return;
            }

            throw new LinuxException($"open {Path.GetDirectoryName(full)}", error);
        }

        using var parent = new SafeFileHandle(descriptor, ownsHandle: true);
        RemoveAt(parent, Encoding.UTF8.GetBytes(Path.GetFileName(full)));
    }

    /// <summary>Gives a file or symbolic link another name, in place of what has it; a link is never followed, also one to a directory.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Rename(string from, string to)
    {
        if (Result(FileCalls.Rename(Terminated(Encoding.UTF8.GetBytes(from)), Terminated(Encoding.UTF8.GetBytes(to)))) is var error and not 0)
        {
            throw new LinuxException($"rename {from} to {to}", error);
        }
    }

    internal static void RemoveAt(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        var terminated = Terminated(name);
        var error = Result(UnlinkAt(parent, terminated, 0));
        if (error is 0 or ENOENT)
        {
            return;
        }

        if (error is not (EISDIR or EPERM))
        {
            throw new LinuxException($"unlink {Encoding.UTF8.GetString(name)}", error);
        }

        var descriptor = OpenAt(parent, terminated, DirectoryOnly | NoFollow | CloseOnExec, 0);
        if (descriptor < 0)
        {
            throw new LinuxException($"open {Encoding.UTF8.GetString(name)}", Marshal.GetLastPInvokeError());
        }

        using (var directory = new SafeFileHandle(descriptor, ownsHandle: true))
        {
            foreach (var child in Names(directory))
            {
                RemoveAt(directory, child);
            }
        }

        if (Result(UnlinkAt(parent, terminated, AtRemoveDirectory)) is var last and not (0 or ENOENT))
        {
            throw new LinuxException($"rmdir {Encoding.UTF8.GetString(name)}", last);
        }
    }

    internal static List<byte[]> Names(SafeFileHandle directory)
    {
        var names = new List<byte[]>();
        var stream = OpenDirectoryStream(Duplicate(directory));
        if (stream == 0)
        {
            throw new LinuxException("fdopendir", Marshal.GetLastPInvokeError());
        }

        try
        {
            for (var entry = ReadDirectory(stream); entry is not null; entry = ReadDirectory(stream))
            {
                var name = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(entry + DirentName);
                if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
                {
                    names.Add(name.ToArray());
                }
            }
        }
        finally
        {
            _ = CloseDirectoryStream(stream);
        }

        return names;
    }
}
