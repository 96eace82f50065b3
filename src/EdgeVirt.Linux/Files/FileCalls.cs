using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Linux.Files;

/// <summary>The system calls behind <see cref="ConfinedTree"/>. Names are bytes: Linux does not promise UTF-8.</summary>
internal static unsafe partial class FileCalls
{
    public const int AtSymlinkNoFollow = 0x100;
    public const int AtRemoveDirectory = 0x200;
    public const int AtEmptyPath = 0x1000;
    public const int CurrentDirectory = -100;

    public const int WriteOnly = 0x1;
    public const int Create = 0x40;
    public const int Exclusive = 0x80;
    public const int CloseOnExec = 0x80000;

    /// <summary>These two differ between x86 and ARM.</summary>
    public static readonly int DirectoryOnly = IsArm ? 0x4000 : 0x10000;
    public static readonly int NoFollow = IsArm ? 0x8000 : 0x20000;

    public const uint TypeMask = 0xF000;
    public const uint TypeFifo = 0x1000;
    public const uint TypeCharacterDevice = 0x2000;
    public const uint TypeDirectory = 0x4000;
    public const uint TypeBlockDevice = 0x6000;
    public const uint TypeRegular = 0x8000;
    public const uint TypeSymlink = 0xA000;

    /// <summary>RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH.</summary>
    public const ulong ResolveBeneath = 0x02 | 0x04 | 0x08;

    /// <summary>RESOLVE_NO_MAGICLINKS | RESOLVE_IN_ROOT.</summary>
    public const ulong ResolveInRoot = 0x02 | 0x10;

    public const int ENOENT = 2;
    public const int EPERM = 1;
    public const int EAGAIN = 11;
    public const int EEXIST = 17;
    public const int EXDEV = 18;
    public const int ENOTDIR = 20;
    public const int EISDIR = 21;
    public const int EINVAL = 22;
    public const int ENOSYS = 38;
    public const int ENOTEMPTY = 39;
    public const int ELOOP = 40;
    public const int EOPNOTSUPP = 95;

    private const long OpenAt2Number = 437;
    private const uint BasicStats = 0x7ff;

    private static bool IsArm => RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm;

    [StructLayout(LayoutKind.Sequential)]
    public struct Timespec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    /// <summary><c>struct statx</c>, the same on every architecture.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    public struct Stat
    {
        [FieldOffset(16)] public uint Links;
        [FieldOffset(20)] public uint User;
        [FieldOffset(24)] public uint Group;
        [FieldOffset(28)] public ushort Mode;
        [FieldOffset(32)] public ulong Inode;
        [FieldOffset(40)] public ulong Size;
        [FieldOffset(64)] public long AccessSeconds;
        [FieldOffset(72)] public uint AccessNanoseconds;
        [FieldOffset(112)] public long ModifySeconds;
        [FieldOffset(120)] public uint ModifyNanoseconds;
        [FieldOffset(128)] public uint DeviceMajor;
        [FieldOffset(132)] public uint DeviceMinor;
        [FieldOffset(136)] public uint FileSystemMajor;
        [FieldOffset(140)] public uint FileSystemMinor;

        public readonly uint Type => Mode & TypeMask;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct OpenHow
    {
        public ulong Flags;
        public ulong Mode;
        public ulong Resolve;
    }

    /// <summary>A descriptor, or minus errno.</summary>
    public static int OpenBeneath(SafeFileHandle directory, ReadOnlySpan<byte> path, int flags) => Open(directory, path, flags, ResolveBeneath);

    /// <summary>Likewise; links are followed as if the directory were the root.</summary>
    public static int OpenInRoot(SafeFileHandle directory, ReadOnlySpan<byte> path, int flags) => Open(directory, path, flags, ResolveInRoot);

    /// <summary>Likewise, by RESOLVE_* flags of openat2(2).</summary>
    public static int OpenWith(SafeFileHandle directory, ReadOnlySpan<byte> path, int flags, ulong resolve) => Open(directory, path, flags, resolve);

    /// <summary>What a symbolic link leads to; null: it is none, or gone.</summary>
    /// <param name="directory">Null: the path is absolute.</param>
    /// <param name="name">Its path.</param>
    public static string? ReadLink(SafeFileHandle? directory, ReadOnlySpan<byte> name)
    {
        var buffer = new byte[4096];
        var length = directory is null
            ? readlink(Terminated(name), buffer, (nuint)buffer.Length)
            : readlinkat(directory, Terminated(name), buffer, (nuint)buffer.Length);
        return length < 0 ? null : System.Text.Encoding.UTF8.GetString(buffer, 0, (int)length);
    }

    private static int Open(SafeFileHandle directory, ReadOnlySpan<byte> path, int flags, ulong resolve)
    {
        var how = new OpenHow { Flags = (ulong)(uint)flags, Resolve = resolve };
        fixed (byte* name = Terminated(path))
        {
            var descriptor = SystemCall(OpenAt2Number, directory.DangerousGetHandle(), (nint)name, (nint)(&how), sizeof(OpenHow));
            return descriptor < 0 ? -Marshal.GetLastPInvokeError() : (int)descriptor;
        }
    }

    public static int Status(SafeFileHandle directory, ReadOnlySpan<byte> name, out Stat stat)
    {
        fixed (byte* at = Terminated(name))
        fixed (Stat* buffer = &stat)
        {
            return Result(statx(directory, at, AtSymlinkNoFollow | (name.IsEmpty ? AtEmptyPath : 0), BasicStats, buffer));
        }
    }

    /// <summary>Likewise, of a path from the root or the working directory.</summary>
    public static int Status(ReadOnlySpan<byte> path, out Stat stat)
    {
        fixed (byte* at = Terminated(path))
        fixed (Stat* buffer = &stat)
        {
            return Result(statx(CurrentDirectory, at, AtSymlinkNoFollow, BasicStats, buffer));
        }
    }

    /// <summary>Copies a name and ends it with NUL. A NUL within would cut it short: refused.</summary>
    public static byte[] Terminated(ReadOnlySpan<byte> name)
    {
        if (name.Contains((byte)0))
        {
            throw new OutsideTreeException(name, "its name contains a NUL byte");
        }

        var bytes = new byte[name.Length + 1];
        name.CopyTo(bytes);
        return bytes;
    }

    /// <summary>Zero, or the errno.</summary>
    public static int Result(int returned) => returned == 0 ? 0 : Marshal.GetLastPInvokeError();

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(long number, nint a, nint b, nint c, nint d);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int statx(SafeFileHandle directory, byte* name, int flags, uint mask, Stat* buffer);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int statx(int directory, byte* name, int flags, uint mask, Stat* buffer);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint readlinkat(SafeFileHandle directory, byte[] name, byte[] buffer, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint readlink(byte[] path, byte[] buffer, nuint size);

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true)]
    public static partial int Rename(byte[] from, byte[] to);

    [LibraryImport("libc", EntryPoint = "renameat", SetLastError = true)]
    public static partial int RenameAt(SafeFileHandle fromDirectory, byte[] from, SafeFileHandle directory, byte[] name);

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true)]
    public static partial int OpenAt(SafeFileHandle directory, byte[] name, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true)]
    public static partial int Open(byte[] path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true)]
    public static partial int MakeDirectoryAt(SafeFileHandle directory, byte[] name, uint mode);

    [LibraryImport("libc", EntryPoint = "symlinkat", SetLastError = true)]
    public static partial int SymbolicLinkAt(byte[] target, SafeFileHandle directory, byte[] name);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true)]
    public static partial int Link(byte[] existing, byte[] path);

    [LibraryImport("libc", EntryPoint = "linkat", SetLastError = true)]
    public static partial int LinkAt(SafeFileHandle fromDirectory, byte[] from, SafeFileHandle directory, byte[] name, int flags);

    [LibraryImport("libc", EntryPoint = "mknodat", SetLastError = true)]
    public static partial int MakeNodeAt(SafeFileHandle directory, byte[] name, uint mode, ulong device);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true)]
    public static partial int UnlinkAt(SafeFileHandle directory, byte[] name, int flags);

    [LibraryImport("libc", EntryPoint = "fchownat", SetLastError = true)]
    public static partial int ChangeOwnerAt(SafeFileHandle directory, byte[] name, uint user, uint group, int flags);

    [LibraryImport("libc", EntryPoint = "fchown", SetLastError = true)]
    public static partial int ChangeOwner(SafeFileHandle file, uint user, uint group);

    [LibraryImport("libc", EntryPoint = "fchmod", SetLastError = true)]
    public static partial int ChangeMode(SafeFileHandle file, uint mode);

    [LibraryImport("libc", EntryPoint = "fchmodat", SetLastError = true)]
    public static partial int ChangeModeAt(SafeFileHandle directory, byte[] name, uint mode, int flags);

    [LibraryImport("libc", EntryPoint = "utimensat", SetLastError = true)]
    public static partial int SetTimesAt(SafeFileHandle directory, byte[] name, Timespec* times, int flags);

    [LibraryImport("libc", EntryPoint = "futimens", SetLastError = true)]
    public static partial int SetTimes(SafeFileHandle file, Timespec* times);

    [LibraryImport("libc", EntryPoint = "fsetxattr", SetLastError = true)]
    public static partial int SetAttribute(SafeFileHandle file, byte[] name, byte[] value, nuint size, int flags);

    [LibraryImport("libc", EntryPoint = "lsetxattr", SetLastError = true)]
    public static partial int SetAttributeNoFollow(byte[] path, byte[] name, byte[] value, nuint size, int flags);

    [LibraryImport("libc", EntryPoint = "flistxattr", SetLastError = true)]
    public static partial nint ListAttributes(SafeFileHandle file, byte[] names, nuint size);

    [LibraryImport("libc", EntryPoint = "llistxattr", SetLastError = true)]
    public static partial nint ListAttributesNoFollow(byte[] path, byte[] names, nuint size);

    [LibraryImport("libc", EntryPoint = "fgetxattr", SetLastError = true)]
    public static partial nint GetAttribute(SafeFileHandle file, byte[] name, byte[] value, nuint size);

    [LibraryImport("libc", EntryPoint = "lgetxattr", SetLastError = true)]
    public static partial nint GetAttributeNoFollow(byte[] path, byte[] name, byte[] value, nuint size);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    public static partial int SyncFileSystem(SafeFileHandle file);

    /// <summary>Another descriptor of a directory; unlike dup, one that children do not inherit.</summary>
    public static int Duplicate(SafeFileHandle directory) => OpenAt(directory, Terminated("."u8), DirectoryOnly | CloseOnExec, 0);

    [LibraryImport("libc", EntryPoint = "fdopendir", SetLastError = true)]
    public static partial nint OpenDirectoryStream(int descriptor);

    [LibraryImport("libc", EntryPoint = "readdir", SetLastError = true)]
    public static partial byte* ReadDirectory(nint stream);

    [LibraryImport("libc", EntryPoint = "closedir", SetLastError = true)]
    public static partial int CloseDirectoryStream(nint stream);
}
