using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Linux;

/// <summary>
/// Mounts on which files show other owners than they have on disk: ids are translated as a user namespace says (mount_setattr(2),
/// <c>MOUNT_ATTR_IDMAP</c>; Linux 5.12, and a file system that can).
/// </summary>
internal static unsafe partial class MappedMounts
{
    // These three have the same number on every architecture.
    private const long OpenTree = 428;
    private const long MoveMount = 429;
    private const long MountSetAttributes = 442;

    private const uint CloneTree = 0x1;
    private const uint CloseOnExec = 0x80000;
    private const uint EmptyPath = 0x1000;
    private const uint Recursive = 0x8000;
    private const uint MoveFromEmptyPath = 0x4;
    private const ulong ReadOnly = 0x1;
    private const ulong IdMap = 0x100000;

    /// <summary>What a path leads to as a mount of its own that is nowhere yet.</summary>
    /// <param name="path">Directory or file.</param>
    /// <param name="userNamespace">Path of the namespace whose map counts.</param>
    /// <param name="recursive">With the mounts below it; each of them must be able to.</param>
    /// <param name="readOnly">
    /// Whether it refuses writes. Who mounts it elsewhere from within the namespace need not make it so, and could not: that would take the
    /// mount's other flags along, which are locked there.
    /// </param>
    /// <exception cref="LinuxException">The kernel or the file system cannot.</exception>
    public static SafeFileHandle Clone(string path, string userNamespace, bool recursive, bool readOnly = false)
    {
        var below = recursive ? Recursive : 0;
        var tree = SystemCall(OpenTree, Native.AT_FDCWD, Terminated(path), CloneTree | CloseOnExec | below);
        if (tree < 0)
        {
            throw Native.Failure($"clone the mount of {path}");
        }

        var clone = new SafeFileHandle((nint)tree, ownsHandle: true);
        try
        {
            using var map = File.OpenHandle(userNamespace);
            var attributes = new Attributes { Set = IdMap | (readOnly ? ReadOnly : 0), UserNamespace = (ulong)map.DangerousGetHandle() };
            if (SystemCall(MountSetAttributes, (int)tree, Terminated(""), EmptyPath | below, &attributes, (nuint)sizeof(Attributes)) != 0)
            {
                throw Native.Failure($"map the owners of files in {path} (an ID-mapped mount; the kernel or the file system cannot)");
            }

            return clone;
        }
        catch
        {
            clone.Dispose();
            throw;
        }
    }

    /// <summary>Puts a clone in its place.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Place(SafeFileHandle clone, string target)
    {
        if (SystemCall(MoveMount, (int)clone.DangerousGetHandle(), Terminated(""), Native.AT_FDCWD, Terminated(target), MoveFromEmptyPath) != 0)
        {
            throw Native.Failure($"mount on {target}");
        }
    }

    private static byte[] Terminated(string path) => [.. Encoding.UTF8.GetBytes(path), 0];

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long SystemCall(long number, int directory, byte[] path, uint flags);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long SystemCall(long number, int directory, byte[] path, uint flags, Attributes* attributes, nuint size);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long SystemCall(long number, int fromDirectory, byte[] fromPath, int toDirectory, byte[] toPath, uint flags);

    /// <summary>struct mount_attr.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Attributes
    {
        public ulong Set;
        public ulong Clear;
        public ulong Propagation;
        public ulong UserNamespace;
    }
}
