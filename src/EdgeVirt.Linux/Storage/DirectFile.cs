using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using static EdgeVirt.Linux.Storage.StorageCalls;

namespace EdgeVirt.Linux.Storage;

/// <summary>
/// A block device or file that is read and written past the page cache, where what lies below allows that (O_DIRECT): what is read then comes from the medium. Offsets,
/// lengths and buffers are multiples of its sector (see <see cref="AlignedBuffer"/>).
/// </summary>
public sealed class DirectFile : IDisposable
{
    private const int EINTR = 4;
    private const int EINVAL = 22;
    private readonly SafeFileHandle handle;

    private DirectFile(string path, SafeFileHandle handle, bool isDirect) => (Path, this.handle, IsDirect) = (path, handle, isDirect);

    /// <summary>As it was opened.</summary>
    public string Path { get; }

    /// <summary>Whether the page cache is left out. If not, <see cref="Sync"/> still drops what it holds.</summary>
    public bool IsDirect { get; }

    /// <summary>Bytes of the device or file.</summary>
    /// <exception cref="LinuxException">It is gone.</exception>
    public long Length => Seek(handle, 0, SeekEnd) is >= 0 and var length ? length : throw Native.Failure($"measure {Path}");

    /// <summary>Opens what is there for reading and writing.</summary>
    /// <param name="path">A block device or a regular file.</param>
    /// <param name="exclusively">A block device is claimed: it fails if a file system of it is mounted, and none can be from then on.</param>
    /// <exception cref="LinuxException">Not there, in use (EBUSY), write-protected (EROFS), or not permitted.</exception>
    public static DirectFile Open(string path, bool exclusively)
    {
        var flags = Native.O_RDWR | Native.O_CLOEXEC | (exclusively ? Exclusive : 0);
        var fd = Native.Open(path, flags | Direct);
        var isDirect = fd >= 0;
        if (fd < 0 && Marshal.GetLastPInvokeError() == EINVAL)
        {
            fd = Native.Open(path, flags);
        }

        return fd >= 0 ? new DirectFile(path, new SafeFileHandle(fd, ownsHandle: true), isDirect) : throw Native.Failure($"open {path}");
    }

    /// <summary>Reads until the buffer is full or the end is reached.</summary>
    /// <returns>Bytes that were read.</returns>
    /// <exception cref="LinuxException">The medium cannot be read there.</exception>
    public unsafe int Read(long offset, Span<byte> buffer)
    {
        var done = 0;
        fixed (byte* start = buffer)
        {
            while (done < buffer.Length)
            {
                var count = ReadAt(handle, start + done, buffer.Length - done, offset + done);
                if (count == 0)
                {
                    break;
                }

                if (count < 0 && Marshal.GetLastPInvokeError() != EINTR)
                {
                    throw Native.Failure($"read {Path} at {offset + done}");
                }

                done += (int)Math.Max(0, count);
            }
        }

        return done;
    }

    /// <summary>Writes all of it.</summary>
    /// <exception cref="LinuxException">It was refused; what lies before the failing offset may have been written.</exception>
    public unsafe void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        var done = 0;
        fixed (byte* start = bytes)
        {
            while (done < bytes.Length)
            {
                var count = WriteAt(handle, start + done, bytes.Length - done, offset + done);
                if (count < 0 && Marshal.GetLastPInvokeError() != EINTR)
                {
                    throw Native.Failure($"write {Path} at {offset + done}");
                }

                done += (int)Math.Max(0, count);
            }
        }
    }

    /// <summary>Makes durable what was written, and forgets it, so that what is read next comes from the medium.</summary>
    /// <exception cref="LinuxException">Something of it could not be written.</exception>
    public void Sync()
    {
        while (SyncFile(handle) != 0)
        {
            if (Marshal.GetLastPInvokeError() != EINTR)
            {
                throw Native.Failure($"sync {Path}");
            }
        }

        if (!IsDirect)
        {
            // Advice: a block device's cache goes by the call above all, a file's by this.
            _ = Advise(handle, 0, 0, DoNotNeed);
            _ = Control(handle, FlushBuffers, 0);
        }
    }

    /// <summary>Cuts a regular file, or makes it longer without taking space.</summary>
    /// <exception cref="IOException">The file system cannot.</exception>
    public void SetLength(long bytes) => RandomAccess.SetLength(handle, bytes);

    /// <summary>Whether a regular file has no byte that was ever written: all of it is a hole.</summary>
    public bool IsAllHoles => Seek(handle, 0, SeekData) < 0 && Marshal.GetLastPInvokeError() == Nxio;

    /// <summary>Has the kernel look at the device's partition table again; false: it cannot, for instance because one is in use.</summary>
    public bool TryReadPartitions() => Control(handle, ReadPartitions, 0) == 0;

    /// <inheritdoc/>
    public void Dispose() => handle.Dispose();
}
