using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Linux.Storage;

/// <summary>Parts of files that take no space.</summary>
public static class FileHoles
{
    // FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE of linux/falloc.h.
    private const int Punch = 0x1 | 0x2;

    /// <summary>Gives back the space of a part of a file, which reads as zeros from now on. Length and offsets of the rest stay.</summary>
    /// <param name="file">Open for writing.</param>
    /// <param name="offset">Bytes from its beginning.</param>
    /// <param name="length">Bytes.</param>
    /// <exception cref="LinuxException">The file system cannot.</exception>
    public static void Make(SafeFileHandle file, long offset, long length)
    {
        if (StorageCalls.Allocate(file, Punch, offset, length) != 0)
        {
            throw Native.Failure("give back the space of a file");
        }
    }
}
