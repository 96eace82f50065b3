using System.Runtime.InteropServices;
using System.Text;

namespace EdgeVirt.Linux;

/// <summary>Flags of mount(2).</summary>
[Flags]
public enum MountFlags : ulong
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Read-only.</summary>
    ReadOnly = 0x1,

    /// <summary>Set-user-id bits have no effect.</summary>
    NoSuid = 0x2,

    /// <summary>Device files have no effect.</summary>
    NoDev = 0x4,

    /// <summary>Nothing can be executed.</summary>
    NoExec = 0x8,

    /// <summary>Change the flags of an existing mount.</summary>
    Remount = 0x20,

    /// <summary>Make a directory or file visible at a second place.</summary>
    Bind = 0x1000,

    /// <summary>With all mounts below.</summary>
    Recursive = 0x4000,

    /// <summary>Mounts and unmounts below do not travel to other namespaces, nor from them.</summary>
    Private = 0x40000,
}

/// <summary>One line of /proc/self/mountinfo.</summary>
/// <param name="Target">Where it is mounted.</param>
/// <param name="Root">Directory of the file system that appears there.</param>
/// <param name="Type">Kind of file system.</param>
/// <param name="Source">Device or name.</param>
public sealed record MountPoint(string Target, string Root, string Type, string Source);

/// <summary>Mounts of this process's mount namespace.</summary>
public static class Mounts
{
    private const int Detach = 2;

    /// <summary>Mounts <paramref name="source"/> on <paramref name="target"/>.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Mount(string? source, string target, string? type, MountFlags flags = MountFlags.None, string? data = null)
    {
        if (Native.Mount(source, target, type, (ulong)flags, data) != 0)
        {
            throw Native.Failure($"mount {type ?? "bind"} {source} on {target}");
        }
    }

    /// <summary>Unmounts the topmost mount on a target. False: nothing is mounted there.</summary>
    /// <param name="target">The mount point.</param>
    /// <param name="detach">Take it out of sight now, and let go of it when the last user is gone.</param>
    /// <exception cref="LinuxException">The kernel refused, e.g. because it is in use.</exception>
    public static bool Unmount(string target, bool detach = false)
    {
        if (Native.Unmount(target, detach ? Detach : 0) == 0)
        {
            return true;
        }

        return Marshal.GetLastPInvokeError() is Native.EINVAL or Native.ENOENT ? false : throw Native.Failure($"unmount {target}");
    }

    /// <summary>Unmounts all that is mounted on or below a directory, the newest first.</summary>
    /// <param name="directory">Absolute, without a slash at its end.</param>
    /// <param name="detach">As with <see cref="Unmount"/>.</param>
    /// <exception cref="LinuxException">The kernel refused, e.g. because it is in use.</exception>
    public static void UnmountBelow(string directory, bool detach = false)
    {
        foreach (var mount in List().Reverse().Where(mount => mount.Target == directory || mount.Target.StartsWith(directory + "/", StringComparison.Ordinal)))
        {
            Unmount(mount.Target, detach);
        }
    }

    /// <summary>Whether something is mounted exactly there.</summary>
    public static bool IsMounted(string target) => List().Any(mount => mount.Target == target);

    /// <summary>All mounts, in the order in which they were made.</summary>
    public static IReadOnlyList<MountPoint> List() => Parse(File.ReadLines("/proc/self/mountinfo"));

    internal static IReadOnlyList<MountPoint> Parse(IEnumerable<string> lines)
    {
        var mounts = new List<MountPoint>();
        foreach (var line in lines)
        {
            // 36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/root rw (proc(5)); optional fields end at the dash.
            var fields = line.Split(' ');
            var dash = Array.IndexOf(fields, "-");
            if (dash > 0 && dash + 2 < fields.Length)
            {
                mounts.Add(new MountPoint(Unescape(fields[4]), Unescape(fields[3]), fields[dash + 1], Unescape(fields[dash + 2])));
            }
        }

        return mounts;
    }

    // Space, tab, newline and backslash are written as \ and three octal digits.
    private static string Unescape(string text)
    {
        if (!text.Contains('\\', StringComparison.Ordinal))
        {
            return text;
        }

        var bytes = Encoding.UTF8.GetBytes(text);
        var count = 0;
        for (var i = 0; i < bytes.Length; i++)
        {
            if (bytes[i] == '\\' && i + 3 < bytes.Length)
            {
                bytes[count++] = (byte)(((bytes[i + 1] - '0') << 6) | ((bytes[i + 2] - '0') << 3) | (bytes[i + 3] - '0'));
                i += 3;
            }
            else
            {
                bytes[count++] = bytes[i];
            }
        }

        return Encoding.UTF8.GetString(bytes, 0, count);
    }
}
