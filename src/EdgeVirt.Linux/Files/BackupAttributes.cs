using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using static EdgeVirt.Linux.Files.FileCalls;

namespace EdgeVirt.Linux.Files;

/// <summary>
/// The extended attributes that a backup has: those of programs (<c>user.*</c>), file capabilities and POSIX ACLs. Labels are the node's own,
/// and <c>trusted.overlay.*</c> would steer a mount. Each of these lists must be carried whole: a file without its ACL is open to the wrong ones.
/// </summary>
public static class BackupAttributes
{
    private const int MostBytes = 64 << 10; // XATTR_LIST_MAX, XATTR_SIZE_MAX
    private const int NoData = 61;

    /// <summary>Whether an attribute is carried and restored.</summary>
    /// <param name="name">Full, e.g. <c>user.x</c>.</param>
    public static bool Carries(string name) =>
        name.StartsWith("user.", StringComparison.Ordinal) || name is "security.capability" or "system.posix_acl_access" or "system.posix_acl_default";

    /// <summary>Of what is open.</summary>
    /// <exception cref="LinuxException">They cannot be read.</exception>
    internal static IReadOnlyList<ExtendedAttribute> Of(SafeFileHandle file) => Read(
        names => ListAttributes(file, names, (nuint)names.Length), (name, value) => GetAttribute(file, name, value, MostBytes));

    /// <summary>Of what cannot be opened: symbolic links and fifos.</summary>
    /// <exception cref="LinuxException">They cannot be read.</exception>
    internal static IReadOnlyList<ExtendedAttribute> Of(SafeFileHandle directory, byte[] name)
    {
        byte[] path = [.. Encoding.ASCII.GetBytes($"/proc/self/fd/{directory.DangerousGetHandle()}/"), .. Terminated(name)];
        return Read(names => ListAttributesNoFollow(path, names, (nuint)names.Length), (attribute, value) => GetAttributeNoFollow(path, attribute, value, MostBytes));
    }

    private static List<ExtendedAttribute> Read(Func<byte[], nint> list, Func<byte[], byte[], nint> get)
    {
        // Asked without room for an answer, the kernel tells its size: most files have none.
        if (Length(list([]), "listxattr") is null or 0)
        {
            return [];
        }

        var names = new byte[MostBytes];
        List<ExtendedAttribute> attributes = [];
        foreach (var name in Encoding.Latin1.GetString(names, 0, Length(list(names), "listxattr") ?? 0).Split('\0', StringSplitOptions.RemoveEmptyEntries).Where(Carries).Order(StringComparer.Ordinal))
        {
            var value = new byte[MostBytes];
            if (Length(get(Encoding.Latin1.GetBytes(name + '\0'), value), $"getxattr {name}") is { } length)
            {
                attributes.Add(new ExtendedAttribute(name, value[..length]));
            }
        }

        return attributes;
    }

    /// <summary>Null: it is gone by now, or the file system has none.</summary>
    private static int? Length(nint returned, string operation)
    {
        if (returned >= 0)
        {
            return (int)returned;
        }

        var error = Marshal.GetLastPInvokeError();
        return error is NoData or ENOENT or EOPNOTSUPP ? null : throw new LinuxException(operation, error);
    }
}
