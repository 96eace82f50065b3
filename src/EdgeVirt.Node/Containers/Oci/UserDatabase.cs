using System.Globalization;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>Who a container runs as.</summary>
internal sealed record ContainerUser(uint Uid, uint Gid, IReadOnlyList<uint> Groups, string Home);

/// <summary>Looks users up in the passwd and group files of an image, never in those of the node.</summary>
internal static class UserDatabase
{
    private const int MaxBytes = 1 << 20;

    /// <param name="user"><c>user[:group]</c>, each by name or number; null or empty: root.</param>
    /// <param name="root">The image's file system.</param>
    /// <exception cref="StartFailedException">A name does not exist there.</exception>
    public static ContainerUser Resolve(string? user, string root) =>
        Resolve(user, Lines(root, "etc/passwd"), Lines(root, "etc/group"));

    internal static ContainerUser Resolve(string? user, IReadOnlyList<string> passwd, IReadOnlyList<string> groups)
    {
        var parts = (string.IsNullOrEmpty(user) ? "0" : user).Split(':', 2);
        var (userName, groupName) = (parts[0], parts.Length > 1 ? parts[1] : "");
        var byNumber = uint.TryParse(userName, NumberStyles.None, CultureInfo.InvariantCulture, out var uid);

        // name:password:uid:gid:comment:home:shell
        var entry = passwd.Select(line => line.Split(':')).FirstOrDefault(fields =>
            fields.Length >= 6 && uint.TryParse(fields[2], out var id) && uint.TryParse(fields[3], out _) && (byNumber ? id == uid : fields[0] == userName));
        if (entry is null && !byNumber)
        {
            throw new StartFailedException($"the image's user '{userName}' is not in its /etc/passwd");
        }

        (uint Uid, uint Gid, string Home) known = entry is null
            ? (uid, 0u, "/")
            : (uint.Parse(entry[2], CultureInfo.InvariantCulture), uint.Parse(entry[3], CultureInfo.InvariantCulture), entry[5]);
        if (groupName.Length > 0)
        {
            return new ContainerUser(known.Uid, GroupOf(groupName, groups), [], known.Home);
        }

        // name:password:gid:member,member
        var memberOf = entry is null
            ? []
            : groups.Select(line => line.Split(':'))
                .Where(fields => fields.Length >= 4 && uint.TryParse(fields[2], out _) && fields[3].Split(',').Contains(entry[0]))
                .Select(fields => uint.Parse(fields[2], CultureInfo.InvariantCulture));
        return new ContainerUser(known.Uid, known.Gid, [.. memberOf.Where(gid => gid != known.Gid).Distinct().Order()], known.Home);
    }

    private static uint GroupOf(string name, IReadOnlyList<string> groups)
    {
        if (uint.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return number;
        }

        foreach (var fields in groups.Select(line => line.Split(':')))
        {
            if (fields.Length >= 3 && fields[0] == name && uint.TryParse(fields[2], out var gid))
            {
                return gid;
            }
        }

        throw new StartFailedException($"the image's group '{name}' is not in its /etc/group");
    }

    private static string[] Lines(string root, string path) =>
        RootedPath.Resolve(root, path) is { } file && File.Exists(file) && new FileInfo(file).Length <= MaxBytes ? File.ReadAllLines(file) : [];
}
