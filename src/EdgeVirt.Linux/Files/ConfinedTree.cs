using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using static EdgeVirt.Linux.Files.FileCalls;

namespace EdgeVirt.Linux.Files;

/// <summary>
/// Makes files, directories and links beneath one directory, by descriptors, and never outside of it: no
/// symbolic link is followed anywhere on a path, and <c>..</c> leads nowhere. Paths are relative byte strings
/// with single slashes. What exists under a name is replaced, except that a directory stays a directory.
/// Missing parents look like those of the trees below, if any has them, else they get mode 0755 and root.
/// Times of directories survive later changes inside them.
/// One caller at a time.
/// </summary>
public sealed partial class ConfinedTree : IDisposable
{
    private const string OpaqueAttribute = "trusted.overlay.opaque";
    private static readonly int OpenDirectoryFlags = DirectoryOnly | NoFollow | CloseOnExec;

    private readonly SafeFileHandle _root;
    private byte[]? _parentPath;
    private SafeFileHandle? _parent;
    private Stat _parentTimes;

    private readonly List<string> _below;

    private ConfinedTree(SafeFileHandle root, IEnumerable<string> below) => (_root, _below) = (root, [.. below.Reverse()]);

    /// <summary>Opens a directory that exists.</summary>
    /// <param name="path">The tree's root.</param>
    /// <param name="below">
    /// Trees that overlayfs will show below this one, lowest first. Directories that nothing but an entry's name
    /// speaks of take ownership, mode and times from there: a whiteout in <c>/tmp</c> must not change <c>/tmp</c>.
    /// </param>
    /// <exception cref="LinuxException">It cannot be opened, or is a symbolic link or no directory.</exception>
    public static ConfinedTree Open(string path, IReadOnlyList<string>? below = null)
    {
        var tree = new ConfinedTree(OpenRoot(path), below ?? []);
        tree.LookLikeBelow(tree._root, default);
        return tree;
    }

    /// <summary>Makes a directory, or gives an existing one these attributes. The empty path is the tree's root.</summary>
    public void MakeDirectory(ReadOnlySpan<byte> path, EntryMetadata metadata)
    {
        if (path.IsEmpty)
        {
            LeaveParent();
            EntryAttributes.Apply(_root, metadata);
            return;
        }

        var parent = EnterParent(path, out var name);
        using var directory = EnterDirectory(parent, name, path, replace: true);
        if (_parentPath is { } open && path.SequenceEqual(open))
        {
            LeaveParent();
        }

        EntryAttributes.Apply(directory, metadata);
    }

    /// <summary>Makes an empty file, mode 0600, for writing. <see cref="Finish"/> it when its content is there.</summary>
    public SafeFileHandle CreateFile(ReadOnlySpan<byte> path)
    {
        var parent = EnterParent(path, out var name);
        var flags = Create | Exclusive | WriteOnly | NoFollow | CloseOnExec;
        var terminated = Terminated(name);
        var descriptor = OpenAt(parent, terminated, flags, 0x180);
        if (descriptor < 0 && Marshal.GetLastPInvokeError() == EEXIST)
        {
            FileTree.RemoveAt(parent, name);
            descriptor = OpenAt(parent, terminated, flags, 0x180);
        }

        return Handle(descriptor, "create", Show(path));
    }

    /// <summary>Gives a file from <see cref="CreateFile"/> its attributes; ownership before mode, since changing it drops setuid.</summary>
    public static void Finish(SafeFileHandle file, EntryMetadata metadata) => EntryAttributes.Apply(file, metadata);

    /// <summary>Makes a symbolic link; the target is not looked at.</summary>
    public void MakeSymbolicLink(ReadOnlySpan<byte> path, ReadOnlySpan<byte> target, EntryMetadata metadata)
    {
        var parent = EnterParent(path, out var name);
        var bytes = Terminated(target);
        var terminated = Terminated(name);
        Replacing(parent, name, "symlink", path, () => SymbolicLinkAt(bytes, parent, terminated));
        EntryAttributes.ApplyAt(parent, name, metadata, isSymlink: true);
    }

    /// <summary>Makes a second name for a file, symbolic link or fifo of this tree.</summary>
    /// <exception cref="OutsideTreeException">The target is not in this tree, is a directory or a device.</exception>
    public void MakeHardLink(ReadOnlySpan<byte> path, ReadOnlySpan<byte> target)
    {
        Split(target, out var targetParent, out var targetName);
        using var from = OpenBeneathOrNull(targetParent) ?? throw new OutsideTreeException(target, "the hard link's target is not in the tree");
        if (Status(from, targetName, out var stat) != 0)
        {
            throw new OutsideTreeException(target, "the hard link's target is not in the tree");
        }

        if (stat.Type is not (TypeRegular or TypeSymlink or TypeFifo or TypeCharacterDevice or TypeBlockDevice) || IsWhiteout(stat))
        {
            throw new OutsideTreeException(target, "a hard link can only name a file");
        }

        if (path.SequenceEqual(target))
        {
            return;
        }

        var terminatedTarget = Terminated(targetName);
        var parent = EnterParent(path, out var name);
        var terminated = Terminated(name);
        Replacing(parent, name, "link", path, () => LinkAt(from, terminatedTarget, parent, terminated, 0));
    }

    /// <summary>Makes a fifo.</summary>
    public void MakeFifo(ReadOnlySpan<byte> path, EntryMetadata metadata)
    {
        var parent = EnterParent(path, out var name);
        var terminated = Terminated(name);
        Replacing(parent, name, "mkfifo", path, () => MakeNodeAt(parent, terminated, TypeFifo | 0x180, 0));
        EntryAttributes.ApplyAt(parent, name, metadata, isSymlink: false);
    }

    /// <summary>Makes a device node.</summary>
    /// <param name="path">Its name in the tree.</param>
    /// <param name="isBlock">A block device; otherwise a character device.</param>
    /// <param name="number">Not 0:0, which is a whiteout.</param>
    /// <param name="metadata">Owner, mode, times, attributes.</param>
    public void MakeDevice(ReadOnlySpan<byte> path, bool isBlock, DeviceNumber number, EntryMetadata metadata)
    {
        var parent = EnterParent(path, out var name);
        var terminated = Terminated(name);
        Replacing(parent, name, "mknod", path, () => MakeNodeAt(parent, terminated, (isBlock ? TypeBlockDevice : TypeCharacterDevice) | 0x180, number.Packed));
        EntryAttributes.ApplyAt(parent, name, metadata, isSymlink: false);
    }

    /// <summary>
    /// Hides a name of the layers below, as overlayfs wants it: a character device 0:0. What this tree itself
    /// has under the name stays; a directory then hides what lies below it.
    /// </summary>
    public void MakeWhiteout(ReadOnlySpan<byte> path)
    {
        var parent = EnterParent(path, out var name);
        if (Status(parent, name, out var stat) == 0)
        {
            if (stat.Type == TypeDirectory)
            {
                using var directory = OpenEntry(parent, name, path);
                EntryAttributes.Set(directory, OpaqueAttribute, "y"u8.ToArray());
            }

            return;
        }

        Check(Result(MakeNodeAt(parent, Terminated(name), TypeCharacterDevice, 0)), "mknod", path);
    }

    /// <summary>Hides all that the layers below have in a directory. The empty path is the tree's root.</summary>
    public void MakeOpaque(ReadOnlySpan<byte> directory)
    {
        using var opened = directory.IsEmpty ? null : OpenOrMake(directory);
        EntryAttributes.Set(opened ?? _root, OpaqueAttribute, "y"u8.ToArray());
    }

    /// <summary>Writes all of the file system's data to the disk (<c>syncfs</c>). Comes last: without it the times of the last directory are not as asked for.</summary>
    public void Sync()
    {
        LeaveParent();
        if (Result(SyncFileSystem(_root)) is var error and not 0)
        {
            throw new LinuxException("syncfs", error);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _parent?.Dispose();
        _root.Dispose();
    }

    private static void Split(ReadOnlySpan<byte> path, out ReadOnlySpan<byte> parent, out ReadOnlySpan<byte> name)
    {
        var slash = path.LastIndexOf((byte)'/');
        parent = slash < 0 ? default : path[..slash];
        name = path[(slash + 1)..];
        if (name.IsEmpty || name.SequenceEqual("."u8) || name.SequenceEqual(".."u8) || path[0] == '/')
        {
            throw new OutsideTreeException(path, "it is not a name beneath the tree");
        }
    }

    /// <summary>Entries of an archive come directory by directory, so the last parent stays open.</summary>
    private SafeFileHandle EnterParent(ReadOnlySpan<byte> path, out ReadOnlySpan<byte> name)
    {
        Split(path, out var parentPath, out name);
        if (_parent is not null && parentPath.SequenceEqual(_parentPath))
        {
            return _parent;
        }

        LeaveParent();
        var parent = parentPath.IsEmpty ? Handle(Duplicate(_root), "dup", "") : OpenOrMake(parentPath);
        Check(Status(parent, default, out _parentTimes), "stat", parentPath);
        _parentPath = parentPath.ToArray();
        return _parent = parent;
    }

    private void LeaveParent()
    {
        if (_parent is null)
        {
            return;
        }

        EntryAttributes.RestoreTimes(_parent, _parentTimes);
        _parent.Dispose();
        _parent = null;
        _parentPath = null;
    }

    private SafeFileHandle OpenOrMake(ReadOnlySpan<byte> path)
    {
        if (OpenBeneathOrNull(path) is { } found)
        {
            return found;
        }

        var current = Handle(Duplicate(_root), "dup", "");
        try
        {
            foreach (var range in path.Split((byte)'/'))
            {
                Check(Status(current, default, out var before), "stat", path);
                var isMissing = Status(current, path[range], out _) == ENOENT;
                var next = EnterDirectory(current, path[range], path, replace: false);
                if (isMissing)
                {
                    LookLikeBelow(next, path[..range.End.GetOffset(path.Length)]);
                }

                EntryAttributes.RestoreTimes(current, before);
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

    /// <summary>Null: it is not there, or openat2 is not there (before Linux 5.6, or filtered) and the careful walk must do.</summary>
    private SafeFileHandle? OpenBeneathOrNull(ReadOnlySpan<byte> path)
    {
        if (path.IsEmpty)
        {
            return Handle(Duplicate(_root), "dup", "");
        }

        var descriptor = OpenBeneath(_root, path, OpenDirectoryFlags);
        return descriptor switch
        {
            >= 0 => new SafeFileHandle(descriptor, ownsHandle: true),
            -ENOENT or -ENOTDIR or -EAGAIN => null,
            -ENOSYS or -EPERM => WalkOrNull(path),
            -ELOOP => throw new OutsideTreeException(path, "a symbolic link lies on the way", throughSymlink: true),
            -EXDEV => throw new OutsideTreeException(path, "it leads out of the tree"),
            _ => throw new LinuxException($"openat2 {Show(path)}", -descriptor),
        };
    }

    private SafeFileHandle? WalkOrNull(ReadOnlySpan<byte> path)
    {
        var current = Handle(Duplicate(_root), "dup", "");
        if (path.IsEmpty)
        {
            return current;
        }

        foreach (var range in path.Split((byte)'/'))
        {
            using var previous = current;
            if (Status(previous, path[range], out _) == ENOENT)
            {
                return null;
            }

            current = OpenEntry(previous, path[range], path);
        }

        return current;
    }

    private static SafeFileHandle EnterDirectory(SafeFileHandle parent, ReadOnlySpan<byte> name, ReadOnlySpan<byte> path, bool replace)
    {
        var terminated = Terminated(name);
        var error = Result(MakeDirectoryAt(parent, terminated, 0x1ED));
        if (error == 0)
        {
            var made = OpenEntry(parent, name, path);
            Check(Result(ChangeMode(made, 0x1ED)), "chmod", path);
            return made;
        }

        if (error != EEXIST)
        {
            throw new LinuxException($"mkdir {Show(path)}", error);
        }

        Check(Status(parent, name, out var stat), "stat", path);
        if (stat.Type == TypeDirectory)
        {
            return OpenEntry(parent, name, path);
        }

        // A whiteout and then the directory itself: it replaces what lies below, so it must hide it.
        var isWhiteout = IsWhiteout(stat);
        if (!replace && !isWhiteout)
        {
            throw NoDirectory(path, stat);
        }

        FileTree.RemoveAt(parent, name);
        Check(Result(MakeDirectoryAt(parent, terminated, 0x1ED)), "mkdir", path);
        var directory = OpenEntry(parent, name, path);
        if (isWhiteout)
        {
            EntryAttributes.Set(directory, OpaqueAttribute, "y"u8.ToArray());
        }

        return directory;
    }

    private static bool IsWhiteout(Stat stat) => stat is { Type: TypeCharacterDevice, DeviceMajor: 0, DeviceMinor: 0 };

    private static SafeFileHandle OpenEntry(SafeFileHandle parent, ReadOnlySpan<byte> name, ReadOnlySpan<byte> path)
    {
        if (name.SequenceEqual(".."u8) || name.SequenceEqual("."u8) || name.IsEmpty)
        {
            throw new OutsideTreeException(path, "it leads out of the tree");
        }

        var descriptor = OpenAt(parent, Terminated(name), OpenDirectoryFlags, 0);
        if (descriptor >= 0)
        {
            return new SafeFileHandle(descriptor, ownsHandle: true);
        }

        var error = Marshal.GetLastPInvokeError();
        throw error is ENOTDIR or ELOOP && Status(parent, name, out var stat) == 0
            ? NoDirectory(path, stat)
            : new LinuxException($"open {Show(path)}", error);
    }

    private static OutsideTreeException NoDirectory(ReadOnlySpan<byte> path, Stat stat) => stat.Type == TypeSymlink
        ? new OutsideTreeException(path, "a symbolic link lies on the way", throughSymlink: true)
        : new OutsideTreeException(path, "something that is no directory lies on the way");

    private static void Replacing(SafeFileHandle parent, ReadOnlySpan<byte> name, string operation, ReadOnlySpan<byte> path, Func<int> make)
    {
        var error = Result(make());
        if (error == EEXIST)
        {
            FileTree.RemoveAt(parent, name);
            error = Result(make());
        }

        Check(error, operation, path);
    }

    private static SafeFileHandle Handle(int descriptor, string operation, string path) => descriptor >= 0
        ? new SafeFileHandle(descriptor, ownsHandle: true)
        : throw new LinuxException($"{operation} {path}", Marshal.GetLastPInvokeError());

    private static void Check(int error, string operation, ReadOnlySpan<byte> path)
    {
        if (error != 0)
        {
            throw new LinuxException($"{operation} {Show(path)}", error);
        }
    }

    private static string Show(ReadOnlySpan<byte> path) => Encoding.UTF8.GetString(path);
}
