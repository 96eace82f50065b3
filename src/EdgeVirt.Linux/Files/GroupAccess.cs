using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using static EdgeVirt.Linux.Files.FileCalls;

namespace EdgeVirt.Linux.Files;

/// <summary>Gives trees to a group, as Kubernetes does for fsGroup.</summary>
public static class GroupAccess
{
    private const uint Unchanged = uint.MaxValue;
    private const uint ReadWrite = 0x1B0; // 0660
    private const uint Enter = 0x48; // 0110
    private const uint SetGroup = 0x400; // 02000
    private const int NonBlocking = 0x800;

    /// <summary>
    /// Lets a group read and write a tree, and everything that is made in it later belong to the group (setgid of directories).
    /// Costs nothing where the tree's root is the group's already. No symbolic link is followed.
    /// </summary>
    /// <param name="directory">The tree.</param>
    /// <param name="group">The group's number.</param>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Grant(string directory, uint group)
    {
        var descriptor = FileCalls.Open(Terminated(Encoding.UTF8.GetBytes(directory)), DirectoryOnly | NoFollow | CloseOnExec, 0);
        using var root = Handle(descriptor, directory);
        Check(Status(root, default, out var stat), directory);
        if (stat.Group == group && (stat.Mode & (SetGroup | 0x38u)) == (SetGroup | 0x38u))
        {
            return;
        }

        // The root last: it says that the rest is done.
        GrantBelow(root, group);
        Apply(root, group, (stat.Mode & 0xFFFu) | ReadWrite | Enter | SetGroup, directory);
    }

    /// <summary>Group and mode of an open file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="group">Null: as it is.</param>
    /// <param name="mode">Permission bits.</param>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Set(SafeFileHandle file, uint? group, uint mode) => Apply(file, group ?? Unchanged, mode, "file");

    /// <summary>Group and mode of a directory that nobody else can replace.</summary>
    /// <param name="directory">The directory.</param>
    /// <param name="group">Null: as it is.</param>
    /// <param name="mode">Permission bits.</param>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Set(string directory, uint? group, uint mode)
    {
        using var opened = Handle(FileCalls.Open(Terminated(Encoding.UTF8.GetBytes(directory)), DirectoryOnly | NoFollow | CloseOnExec, 0), directory);
        Apply(opened, group ?? Unchanged, mode, directory);
    }

    private static void GrantBelow(SafeFileHandle directory, uint group)
    {
        foreach (var name in FileTree.Names(directory))
        {
            var shown = Encoding.UTF8.GetString(name);
            if (Status(directory, name, out var stat) != 0)
            {
                continue;
            }

            if (stat.Type is not (TypeDirectory or TypeRegular))
            {
                Check(Result(ChangeOwnerAt(directory, Terminated(name), Unchanged, group, AtSymlinkNoFollow)), shown);
                continue;
            }

            var descriptor = OpenAt(directory, Terminated(name), NonBlocking | NoFollow | CloseOnExec | (stat.Type == TypeDirectory ? DirectoryOnly : 0), 0);
            if (descriptor < 0 && Marshal.GetLastPInvokeError() is ENOENT or ELOOP or ENOTDIR)
            {
                // Its workload changes it meanwhile.
                continue;
            }

            using var entry = Handle(descriptor, shown);
            if (stat.Type == TypeDirectory)
            {
                GrantBelow(entry, group);
            }

            Apply(entry, group, (stat.Mode & 0xFFFu) | ReadWrite | (stat.Type == TypeDirectory ? Enter | SetGroup : 0), shown);
        }
    }

    // Ownership before mode, since changing it drops setuid.
    private static void Apply(SafeFileHandle file, uint group, uint mode, string shown)
    {
        Check(Result(ChangeOwner(file, Unchanged, group)), shown);
        Check(Result(ChangeMode(file, mode)), shown);
    }

    private static SafeFileHandle Handle(int descriptor, string shown) => descriptor >= 0
        ? new SafeFileHandle(descriptor, ownsHandle: true)
        : throw new LinuxException($"open {shown}", Marshal.GetLastPInvokeError());

    private static void Check(int error, string shown)
    {
        if (error != 0)
        {
            throw new LinuxException($"give {shown} to a group", error);
        }
    }
}
