using System.Runtime.InteropServices;
using System.Text;
using static EdgeVirt.Linux.Files.FileCalls;

namespace EdgeVirt.Linux.Files;

/// <summary>Which file it is, whatever it is called.</summary>
/// <param name="Device">Number of its file system.</param>
/// <param name="Inode">Its number there.</param>
/// <param name="Links">How many names it has.</param>
/// <param name="Size">Bytes.</param>
public readonly record struct FileIdentity(ulong Device, ulong Inode, uint Links, long Size)
{
    /// <summary>Whether both are the same file.</summary>
    public bool IsSameAs(FileIdentity? other) => other is { } file && (file.Device, file.Inode) == (Device, Inode);
}

/// <summary>Files with several names.</summary>
public static class HardLinks
{
    /// <summary>The file of that path; null: there is none. A symbolic link is not followed.</summary>
    /// <exception cref="LinuxException">It cannot be looked at.</exception>
    public static FileIdentity? Identify(string path)
    {
        var error = Status(Encoding.UTF8.GetBytes(path), out var stat);
        return error switch
        {
            0 => new FileIdentity(((ulong)stat.FileSystemMajor << 32) | stat.FileSystemMinor, stat.Inode, stat.Links, (long)stat.Size),
            ENOENT or ENOTDIR => null,
            _ => throw new LinuxException($"statx {path}", error),
        };
    }

    /// <summary>Gives a file a second name. False: the file is gone, or the name is taken.</summary>
    /// <exception cref="LinuxException">The file system refused, because it is full or another one for instance.</exception>
    public static bool TryCreate(string existing, string path)
    {
        if (Link(Terminated(Encoding.UTF8.GetBytes(existing)), Terminated(Encoding.UTF8.GetBytes(path))) == 0)
        {
            return true;
        }

        var error = Marshal.GetLastPInvokeError();
        return error is ENOENT or EEXIST ? false : throw new LinuxException($"link {existing} to {path}", error);
    }
}
