using EdgeVirt.Linux;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>
/// Tells what the node cannot do from what is wrong with an image. The kernel says the same numbers for both now and then; those
/// here are never taken for the image's fault, so that an image is not refused because of the disk that it was unpacked on.
/// </summary>
internal static class NodeFault
{
    private const int NotPermitted = 1;
    private const int InputOutput = 5;
    private const int NoMemory = 12;
    private const int AccessDenied = 13;
    private const int TooManyFilesOnNode = 23;
    private const int TooManyFiles = 24;
    private const int NoSpace = 28;
    private const int ReadOnly = 30;
    private const int QuotaExceeded = 122;

    /// <summary>What .NET says where a file's space could not be set aside.</summary>
    private const int DiskFull = unchecked((int)0x80070070);

    /// <summary>Room that is asked for where nobody knows how much is missing: a document, a directory.</summary>
    private const long LittleRoom = 1 << 20;

    /// <summary>The failure of a pull that stands for a fault of the node; null: it is none, or not known to be one.</summary>
    /// <param name="failed">What was thrown while something was read, written or unpacked.</param>
    /// <param name="roomWanted">How many more bytes were to be written, for a disk that is full.</param>
    public static ImagePullException? Of(Exception failed, long roomWanted = LittleRoom) => ErrnoOf(failed) switch
    {
        NoSpace or QuotaExceeded => new ImagePullException($"The disk is full ({failed.Message})", failed) { IsLocal = true, RoomWanted = roomWanted },
        NotPermitted or AccessDenied => Local(
            $"The node does not let its agent store the image ({failed.Message}); look for an immutable directory, a security module or a missing capability.", failed),
        InputOutput => Local($"The disk fails ({failed.Message}); check it, and replace it.", failed),
        ReadOnly => Local($"The data partition has become read-only ({failed.Message}); the kernel's log says why: check its file system, and mount it anew.", failed),
        TooManyFiles or TooManyFilesOnNode => Local($"Too many files are open ({failed.Message}); it is tried again, and if that does not help, raise LimitNOFILE of the agent's unit.", failed),
        NoMemory => Local($"The kernel has no memory left ({failed.Message}); it is tried again, and if that does not help, give workloads a memory limit.", failed),
        _ => null,
    };

    private static ImagePullException Local(string message, Exception failed) => new(message, failed) { IsLocal = true };

    /// <summary>On Unix the HResult of an IOException is the kernel's number.</summary>
    private static int ErrnoOf(Exception failed) => failed switch
    {
        LinuxException linux => linux.Errno,
        UnauthorizedAccessException { InnerException: IOException { HResult: > 0 and < 4096 } inner } => inner.HResult,
        UnauthorizedAccessException => AccessDenied,
        IOException { HResult: DiskFull } => NoSpace,
        IOException { HResult: > 0 and < 4096 } io => io.HResult,
        _ => 0,
    };
}
