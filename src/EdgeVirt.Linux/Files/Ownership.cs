using System.Text;
using Microsoft.Win32.SafeHandles;
using static EdgeVirt.Linux.Files.FileCalls;

namespace EdgeVirt.Linux.Files;

/// <summary>To whom files belong.</summary>
public static class Ownership
{
    /// <summary>Gives a file or directory to somebody; a symbolic link is not followed.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Set(string path, uint user, uint group)
    {
        var error = Result(ChangeOwnerAt(new SafeFileHandle(CurrentDirectory, ownsHandle: false), Terminated(Encoding.UTF8.GetBytes(path)), user, group, AtSymlinkNoFollow));
        if (error != 0)
        {
            throw new LinuxException($"chown {path}", error);
        }
    }

    /// <summary>To whom a file or directory belongs; a symbolic link is not followed.</summary>
    /// <exception cref="LinuxException">There is none, or the kernel refused.</exception>
    public static (uint User, uint Group) Of(string path)
    {
        var error = Status(Encoding.UTF8.GetBytes(path), out var stat);
        return error == 0 ? (stat.User, stat.Group) : throw new LinuxException($"stat {path}", error);
    }
}
