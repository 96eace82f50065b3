using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using static EdgeVirt.Linux.Files.FileCalls;

namespace EdgeVirt.Linux.Files;

/// <summary>Files whose names come from outside.</summary>
public static class RegularFile
{
    /// <summary>Opens a file to read if it is a regular one: a FIFO would hold the reader up, a device may do anything.</summary>
    /// <param name="path">Where it is; a symbolic link at its end is not followed.</param>
    /// <exception cref="IOException">It is no regular file.</exception>
    /// <exception cref="LinuxException">It cannot be opened, because it does not exist for instance.</exception>
    public static FileStream OpenRead(string path)
    {
        var descriptor = Open(Terminated(Encoding.UTF8.GetBytes(path)), NoFollow | Native.O_NONBLOCK | CloseOnExec, 0);
        if (descriptor < 0)
        {
            var error = Marshal.GetLastPInvokeError();
            throw error == ELOOP ? new IOException($"{path} is a symbolic link, not a regular file") : new LinuxException($"open {path}", error);
        }

        var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        if (Status(handle, [], out var stat) == 0 && stat.Type == TypeRegular)
        {
            return new FileStream(handle, FileAccess.Read, bufferSize: 64 << 10);
        }

        handle.Dispose();
        throw new IOException($"{path} is no regular file");
    }
}
