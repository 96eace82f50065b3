using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Linux;

/// <summary>fdatasync, which .NET does not offer: <c>RandomAccess.FlushToDisk</c> is a whole fsync.</summary>
public static partial class DataSync
{
    /// <summary>Makes written data (and a changed length) durable. Throws <see cref="IOException"/> with the errno.</summary>
    public static void Flush(SafeFileHandle file)
    {
        int result;
        do
        {
            result = Fdatasync(file);
        }
        while (result != 0 && Marshal.GetLastPInvokeError() == InterruptedErrno);

        if (result != 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            throw new IOException($"fdatasync failed: {Marshal.GetPInvokeErrorMessage(errno)} (errno {errno}).");
        }
    }

    private const int InterruptedErrno = 4;

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int Fdatasync(SafeFileHandle file);
}
