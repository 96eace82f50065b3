using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using static EdgeVirt.Linux.Files.FileCalls;

namespace EdgeVirt.Linux.Files;

/// <summary>What a path leads to.</summary>
public enum FileKind
{
    /// <summary>None of the others.</summary>
    Other,

    /// <summary>A directory.</summary>
    Directory,

    /// <summary>A regular file.</summary>
    File,

    /// <summary>A Unix socket.</summary>
    Socket,

    /// <summary>A character device.</summary>
    CharacterDevice,

    /// <summary>A block device.</summary>
    BlockDevice,
}

/// <summary>
/// A file or directory held by descriptor: what it is stays the same whoever renames or replaces names meanwhile, so that what
/// was checked is what is mounted.
/// </summary>
public sealed class PinnedPath : IDisposable
{
    private const int PathOnly = 0x200000 | CloseOnExec;
    private const uint TypeBlockDevice = 0x6000;
    private const uint TypeSocket = 0xC000;

    // Symbolic links are followed as long as they stay below.
    private const ulong Below = 0x02 | 0x08;

    private readonly SafeFileHandle handle;

    private PinnedPath(SafeFileHandle handle)
    {
        this.handle = handle;
        if (Status(handle, default, out var stat) is var error and not 0)
        {
            handle.Dispose();
            throw new LinuxException("stat", error);
        }

        Mode = stat.Mode & 0xFFFu;
        Device = new DeviceNumber(stat.DeviceMajor, stat.DeviceMinor);
        FileSystem = new DeviceNumber(stat.FileSystemMajor, stat.FileSystemMinor);
        (User, Group) = (stat.User, stat.Group);
        Kind = stat.Type switch
        {
            TypeDirectory => FileKind.Directory,
            TypeRegular => FileKind.File,
            TypeSocket => FileKind.Socket,
            TypeCharacterDevice => FileKind.CharacterDevice,
            TypeBlockDevice => FileKind.BlockDevice,
            _ => FileKind.Other,
        };
    }

    /// <summary>What it is.</summary>
    public FileKind Kind { get; }

    /// <summary>Permission bits, with setuid, setgid and sticky.</summary>
    public uint Mode { get; }

    /// <summary>Of a device, its number.</summary>
    public DeviceNumber Device { get; }

    /// <summary>Device of the file system that it lies on.</summary>
    public DeviceNumber FileSystem { get; }

    /// <summary>Owner.</summary>
    public uint User { get; }

    /// <summary>Group.</summary>
    public uint Group { get; }

    /// <summary>Absolute path without symbolic links, as the kernel knows it now.</summary>
    public string RealPath => ReadLink(null, Encoding.UTF8.GetBytes(Name)) ?? throw new LinuxException($"readlink {Name}", ENOENT);

    private string Name => $"/proc/self/fd/{handle.DangerousGetHandle()}";

    /// <summary>Opens an absolute path; links are followed.</summary>
    /// <returns>Null: there is nothing.</returns>
    /// <exception cref="LinuxException">It cannot be opened.</exception>
    public static PinnedPath? TryOpen(string path)
    {
        var descriptor = FileCalls.Open(Terminated(Encoding.UTF8.GetBytes(path)), PathOnly, 0);
        var error = descriptor < 0 ? Marshal.GetLastPInvokeError() : 0;
        return error switch
        {
            0 => new PinnedPath(new SafeFileHandle(descriptor, ownsHandle: true)),
            ENOENT or ENOTDIR => null,
            _ => throw new LinuxException($"open {path}", error),
        };
    }

    /// <summary>Opens a path below this directory.</summary>
    /// <param name="relative">Relative; links are followed as long as they stay below.</param>
    /// <returns>Null: there is nothing.</returns>
    /// <exception cref="OutsideTreeException">It leads out.</exception>
    /// <exception cref="LinuxException">It cannot be opened.</exception>
    public PinnedPath? TryOpenBelow(string relative)
    {
        var bytes = Encoding.UTF8.GetBytes(relative);
        var descriptor = OpenWith(handle, bytes, PathOnly, Below);
        return descriptor switch
        {
            >= 0 => new PinnedPath(new SafeFileHandle(descriptor, ownsHandle: true)),
            -ENOENT or -ENOTDIR => null,
            -EXDEV => throw new OutsideTreeException(bytes, "it leads out"),
            -ELOOP => throw new OutsideTreeException(bytes, "too many symbolic links lie on the way", throughSymlink: true),
            -ENOSYS => throw new LinuxException($"open {relative}: this needs Linux 5.6", ENOSYS),
            _ => throw new LinuxException($"open {relative}", -descriptor),
        };
    }

    /// <summary>Opens a directory below this one, and makes what is missing of its path.</summary>
    /// <param name="relative">As with <see cref="TryOpenBelow"/>.</param>
    /// <param name="mode">Permission bits of what is made; it belongs to root.</param>
    /// <exception cref="OutsideTreeException">It leads out.</exception>
    /// <exception cref="LinuxException">It cannot be made.</exception>
    public PinnedPath MakeDirectoryBelow(string relative, uint mode)
    {
        var parts = relative.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var current = Again();
        try
        {
            foreach (var part in parts)
            {
                var next = current.TryOpenBelow(part) ?? current.Make(part, mode);
                current.Dispose();
                current = next;
            }

            return current;
        }
        catch
        {
            current.Dispose();
            throw;
        }
    }

    /// <summary>Opens a file in this directory, and makes it, empty, where it is missing.</summary>
    /// <param name="name">A name, not a path.</param>
    /// <param name="mode">Permission bits of what is made.</param>
    /// <exception cref="OutsideTreeException">It leads out.</exception>
    /// <exception cref="LinuxException">It cannot be made.</exception>
    public PinnedPath MakeFile(string name, uint mode)
    {
        if (TryOpenBelow(name) is { } found)
        {
            return found;
        }

        var bytes = Terminated(Encoding.UTF8.GetBytes(name));
        var descriptor = OpenAt(handle, bytes, FileCalls.Create | Exclusive | WriteOnly | NoFollow | CloseOnExec, mode);
        if (descriptor < 0)
        {
            throw new LinuxException($"create {name}", Marshal.GetLastPInvokeError());
        }

        using var made = new SafeFileHandle(descriptor, ownsHandle: true);
        Check(Result(ChangeMode(made, mode)), $"chmod {name}");
        return TryOpenBelow(name) ?? throw new LinuxException($"open {name}", ENOENT);
    }

    /// <summary>Makes it visible at a second place.</summary>
    /// <param name="target">Made, as a directory or an empty file; its directory must exist.</param>
    /// <param name="recursive">With the mounts below it.</param>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public void BindTo(string target, bool recursive)
    {
        MakeTarget(target);
        Mounts.Mount(Name, target, null, MountFlags.Bind | (recursive ? MountFlags.Recursive : MountFlags.None));
    }

    /// <summary>As <see cref="BindTo"/>, with the owners of files shown as a user namespace maps them.</summary>
    /// <param name="target">Made, as a directory or an empty file; its directory must exist.</param>
    /// <param name="userNamespace">Where the namespace is held.</param>
    /// <param name="recursive">With the mounts below it.</param>
    /// <param name="readOnly">Whether it refuses writes there.</param>
    /// <exception cref="LinuxException">The kernel or the file system cannot.</exception>
    public void BindMappedTo(string target, string userNamespace, bool recursive, bool readOnly)
    {
        using var clone = MappedMounts.Clone(Name, userNamespace, recursive, readOnly);
        MakeTarget(target);
        MappedMounts.Place(clone, target);
    }

    /// <inheritdoc/>
    public void Dispose() => handle.Dispose();

    private void MakeTarget(string target)
    {
        if (Kind == FileKind.Directory)
        {
            Directory.CreateDirectory(target);
        }
        else
        {
            using var file = File.Create(target);
        }
    }

    private PinnedPath Again() => TryOpenBelow(".") ?? throw new LinuxException("open .", ENOENT);

    private PinnedPath Make(string name, uint mode)
    {
        var terminated = Terminated(Encoding.UTF8.GetBytes(name));
        var error = Result(MakeDirectoryAt(handle, terminated, mode));
        if (error is not (0 or EEXIST))
        {
            throw new LinuxException($"mkdir {name}", error);
        }

        var descriptor = OpenAt(handle, terminated, DirectoryOnly | NoFollow | CloseOnExec, 0);
        if (descriptor < 0)
        {
            throw new LinuxException($"open {name}", Marshal.GetLastPInvokeError());
        }

        // The process's umask may have taken bits away.
        using (var made = new SafeFileHandle(descriptor, ownsHandle: true))
        {
            Check(error == 0 ? Result(ChangeMode(made, mode)) : 0, $"chmod {name}");
        }

        return TryOpenBelow(name) ?? throw new LinuxException($"open {name}", ENOENT);
    }

    private static void Check(int error, string operation)
    {
        if (error != 0)
        {
            throw new LinuxException(operation, error);
        }
    }
}
