using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Linux.Storage;

/// <summary>System calls about loop devices and space (ioctl numbers of linux/loop.h, the same on x86 and ARM).</summary>
internal static unsafe partial class StorageCalls
{
    public const ulong GetFreeLoop = 0x4C82;
    public const ulong ConfigureLoop = 0x4C0A;
    public const ulong SetLoopCapacity = 0x4C07;

    /// <summary>LO_FLAGS_AUTOCLEAR: it lets go of the file with its last user.</summary>
    public const uint AutoClear = 4;

    /// <summary>LO_FLAGS_DIRECT_IO: what the file system above caches is not cached a second time below.</summary>
    public const uint DirectIo = 16;

    /// <summary>Block device, mode 0600.</summary>
    public const uint BlockNode = 0x6000 | 0x180;

    /// <summary>BLKFLSBUF and BLKRRPART of linux/fs.h.</summary>
    public const ulong FlushBuffers = 0x1261;
    public const ulong ReadPartitions = 0x125F;

    public const int Exclusive = 0x80;

    public const int SeekEnd = 2;
    public const int SeekData = 3;

    /// <summary>POSIX_FADV_DONTNEED.</summary>
    public const int DoNotNeed = 4;

    public const int Nxio = 6;
    public const int EBUSY = 16;
    public const int EOPNOTSUPP = 95;

    /// <summary>O_DIRECT, which differs between x86 and ARM.</summary>
    public static readonly int Direct = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm ? 0x10000 : 0x4000;

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static partial int Control(SafeFileHandle device, ulong request, nint argument);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static partial int Control(SafeFileHandle device, ulong request, LoopConfig* config);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    public static partial int Allocate(SafeFileHandle file, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "mknod", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int MakeNode(string path, uint mode, ulong device);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    public static partial nint ReadAt(SafeFileHandle file, byte* buffer, nint count, long offset);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    public static partial nint WriteAt(SafeFileHandle file, byte* buffer, nint count, long offset);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    public static partial long Seek(SafeFileHandle file, long offset, int from);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int SyncFile(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    public static partial int Advise(SafeFileHandle file, long offset, long length, int advice);

    /// <summary><c>struct loop_config</c>; what is not named here stays 0.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 304)]
    public struct LoopConfig
    {
        [FieldOffset(0)] public uint File;
        [FieldOffset(60)] public uint Flags;
    }
}
