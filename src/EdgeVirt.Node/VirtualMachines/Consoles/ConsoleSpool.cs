using System.Globalization;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;

namespace EdgeVirt.Node.VirtualMachines.Consoles;

/// <summary>
/// Where QEMU writes what a guest says on its serial console: a file system in memory of a few MiB, for each machine its own. Whether an agent is
/// there or not, no guest fills more than that, nothing of it wears flash, and QEMU drops what finds no room instead of waiting.
/// </summary>
internal static class ConsoleSpool
{
    /// <summary>Most bytes that it takes; the agent keeps it well below (<see cref="ConsoleLog.Kept"/>).</summary>
    public const long MostBytes = 4 << 20;

    private const UnixFileMode OwnerFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Makes it where it is not there; what is in it stays.</summary>
    /// <param name="paths">Of the machine.</param>
    /// <param name="user">As whom QEMU runs. It may write into its log, not make files beside it.</param>
    /// <exception cref="IOException">The kernel refused.</exception>
    public static void Ensure(VmPaths paths, uint user)
    {
        Directory.CreateDirectory(paths.ConsoleDirectory);
        if (!Mounts.IsMounted(paths.ConsoleDirectory))
        {
            var options = string.Create(CultureInfo.InvariantCulture, $"size={MostBytes},nr_inodes=8,mode=0711");
            Mounts.Mount("edgevirt-console", paths.ConsoleDirectory, "tmpfs", MountFlags.NoSuid | MountFlags.NoDev | MountFlags.NoExec, options);
        }

        if (!File.Exists(paths.ConsoleLog))
        {
            using var log = new FileStream(
                paths.ConsoleLog, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerFile });
        }

        Ownership.Set(paths.ConsoleLog, user, user);
    }

    /// <summary>Removes it with all that was said.</summary>
    /// <exception cref="IOException">The kernel refused.</exception>
    public static void Remove(VmPaths paths)
    {
        Mounts.UnmountBelow(paths.ConsoleDirectory, detach: true);
        if (Directory.Exists(paths.ConsoleDirectory))
        {
            Directory.Delete(paths.ConsoleDirectory, recursive: true);
        }
    }
}
