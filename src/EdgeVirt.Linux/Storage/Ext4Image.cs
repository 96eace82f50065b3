using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using static EdgeVirt.Linux.Storage.StorageCalls;

namespace EdgeVirt.Linux.Storage;

/// <summary>A file that holds an ext4 file system: a directory that can be filled without filling what lies around it.</summary>
public static class Ext4Image
{
    private const int Corrected = 2;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private static readonly TimeSpan ToolTimeout = TimeSpan.FromMinutes(10);

    /// <summary>Makes an image; nothing is left where that fails.</summary>
    /// <param name="file">Not there yet.</param>
    /// <param name="bytes">Size of the file; the file system's own tables are in it.</param>
    /// <param name="reserve">Take the space from the disk now, so that it is there when it is written to.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="IOException">There is no space, or mkfs.ext4 failed.</exception>
    public static async Task CreateAsync(string file, long bytes, bool reserve, CancellationToken ct)
    {
        try
        {
            SetSize(file, FileMode.CreateNew, bytes, reserve);
            await RunAsync("mkfs.ext4", ["-q", "-F", "-m", "0", "-E", "nodiscard,root_owner=0:0", file], ct).ConfigureAwait(false);
        }
        catch
        {
            File.Delete(file);
            throw;
        }
    }

    /// <summary>Mounts an image, after a check of its file system unless it is in use already.</summary>
    /// <exception cref="IOException">It is damaged beyond what can be put right unattended, or the kernel refused.</exception>
    public static async Task MountAsync(string file, string target, CancellationToken ct)
    {
        if (LoopDevice.Find(file) is null)
        {
            await CheckAsync(file, "-p", ct).ConfigureAwait(false);
        }

        using var device = LoopDevice.Attach(file);
        Mounts.Mount(device.Path, target, "ext4", MountFlags.NoSuid | MountFlags.NoDev);
    }

    /// <summary>Makes an image larger. While it is mounted the kernel wants CAP_SYS_RESOURCE for that.</summary>
    /// <param name="file">The image.</param>
    /// <param name="bytes">New size of the file, more than it has.</param>
    /// <param name="reserve">As with <see cref="CreateAsync"/>.</param>
    /// <param name="ct">Gives up.</param>
    /// <returns>False: it is mounted, and this process may not; it is as before.</returns>
    /// <exception cref="IOException">There is no space; it is as before.</exception>
    public static async Task<bool> GrowAsync(string file, long bytes, bool reserve, CancellationToken ct)
    {
        var isMounted = LoopDevice.Find(file) is not null;
        if (isMounted && !Processes.HasCapability(Processes.CapSysResource))
        {
            return false;
        }

        var before = new FileInfo(file).Length;
        try
        {
            SetSize(file, FileMode.Open, bytes, reserve);
        }
        catch
        {
            using var handle = File.OpenHandle(file, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
            RandomAccess.SetLength(handle, before);
            throw;
        }

        if (isMounted)
        {
            using var device = LoopDevice.Attach(file);
            device.Grow();
            await RunAsync("resize2fs", [device.Path], ct).ConfigureAwait(false);
        }
        else
        {
            await CheckAsync(file, "-fp", ct).ConfigureAwait(false);
            await RunAsync("resize2fs", [file], ct).ConfigureAwait(false);
        }

        return true;
    }

    private static async Task CheckAsync(string file, string how, CancellationToken ct)
    {
        var check = await ProcessRunner.RunAsync("e2fsck", [how, file], ToolTimeout, ct: ct, check: false).ConfigureAwait(false);
        if (check.ExitCode > Corrected)
        {
            throw new IOException($"the file system in {file} is damaged; look at it with e2fsck, or restore a backup: {check.Output.Trim()} {check.Error.Trim()}".TrimEnd());
        }
    }

    private static void SetSize(string file, FileMode mode, long bytes, bool reserve)
    {
        using var stream = new FileStream(file, new FileStreamOptions
        {
            Mode = mode, Access = FileAccess.ReadWrite, Share = FileShare.ReadWrite, BufferSize = 0, UnixCreateMode = mode == FileMode.CreateNew ? OwnerOnly : null,
        });
        if (!reserve || !TryAllocate(stream.SafeFileHandle, bytes, file))
        {
            RandomAccess.SetLength(stream.SafeFileHandle, bytes);
        }
    }

    private static bool TryAllocate(SafeFileHandle file, long bytes, string path)
    {
        if (Allocate(file, 0, 0, bytes) == 0)
        {
            return true;
        }

        var error = Marshal.GetLastPInvokeError();
        return error == EOPNOTSUPP
            ? false
            : throw new LinuxException(string.Create(CultureInfo.InvariantCulture, $"set {bytes} bytes aside for {path}"), error);
    }

    private static Task<ProcessResult> RunAsync(string program, IReadOnlyList<string> args, CancellationToken ct) => ProcessRunner.RunAsync(program, args, ToolTimeout, ct: ct);
}
