using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using static EdgeVirt.Linux.Storage.StorageCalls;

namespace EdgeVirt.Linux.Storage;

/// <summary>
/// A file as a block device (loop(4)). A mount of it keeps it; it lets go of the file when neither mount nor this object is
/// left. One file has one device at most: two file systems over the same bytes would destroy them.
/// </summary>
public sealed class LoopDevice : IDisposable
{
    private const int MostTries = 32;
    private const uint Major = 7;
    private static readonly Lock Attaching = new();

    private readonly SafeFileHandle device;

    private LoopDevice(string path, SafeFileHandle device) => (Path, this.device) = (path, device);

    /// <summary>E.g. <c>/dev/loop3</c>.</summary>
    public string Path { get; }

    /// <summary>The device of a file: the one that it has, else a new one.</summary>
    /// <exception cref="IOException">There is no such file, or the kernel has no loop devices.</exception>
    public static LoopDevice Attach(string file)
    {
        lock (Attaching)
        {
            if (Find(file) is { } path)
            {
                return new LoopDevice(path, Open(path));
            }

            using var backing = File.OpenHandle(file, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
            using var control = Open("/dev/loop-control");
            for (var tries = 0; ; tries++)
            {
                var number = Control(control, GetFreeLoop, 0);
                if (number < 0)
                {
                    throw Native.Failure("find a free loop device");
                }

                var free = string.Create(CultureInfo.InvariantCulture, $"/dev/loop{number}");
                MakeNodeOf(free, (uint)number);
                var device = Open(free);
                if (TryConfigure(device, backing))
                {
                    return new LoopDevice(free, device);
                }

                // Somebody else took it in between.
                var error = Marshal.GetLastPInvokeError();
                device.Dispose();
                if (error != EBUSY || tries == MostTries)
                {
                    throw new LinuxException($"attach {file} to {free}", error);
                }
            }
        }
    }

    /// <summary>The device that a file has; null: none.</summary>
    public static string? Find(string file)
    {
        foreach (var block in Directory.EnumerateDirectories("/sys/block", "loop*"))
        {
            try
            {
                if (File.ReadAllText(System.IO.Path.Combine(block, "loop", "backing_file")).TrimEnd('\n') == file)
                {
                    return "/dev/" + System.IO.Path.GetFileName(block);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It has no file, or has just let go of it.
            }
        }

        return null;
    }

    /// <summary>Makes the device as long as its file has become.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public void Grow()
    {
        if (Control(device, SetLoopCapacity, 0) != 0)
        {
            throw Native.Failure($"grow {Path}");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => device.Dispose();

    private static SafeFileHandle Open(string path) => File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);

    private static unsafe bool TryConfigure(SafeFileHandle device, SafeFileHandle backing)
    {
        var config = new LoopConfig { File = (uint)backing.DangerousGetHandle(), Flags = AutoClear | DirectIo };
        return Control(device, ConfigureLoop, &config) == 0;
    }

    // Where nothing makes device nodes as devices come.
    private static void MakeNodeOf(string path, uint minor)
    {
        if (!File.Exists(path) && MakeNode(path, BlockNode, (Major << 8) | (minor & 0xFF) | ((ulong)(minor & ~0xFFu) << 12)) != 0 && Marshal.GetLastPInvokeError() != FileExists)
        {
            throw Native.Failure($"mknod {path}");
        }
    }

    private const int FileExists = 17;
}
