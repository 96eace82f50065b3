using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Containers.Volumes;
using EdgeVirt.Node.Networks.Names;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>The files that all containers of a workload share: name resolution, and volumes made of Secrets and Configs.</summary>
internal static class SandboxFiles
{
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>Mounted in /etc of each container.</summary>
    public static IReadOnlyList<string> Names { get; } = ["resolv.conf", "hosts", "hostname"];

    /// <summary>Writes them anew. Volumes of Secrets and Configs lie on the private tmpfs.</summary>
    /// <param name="sandbox">Whose they are.</param>
    /// <param name="target">What it is to be.</param>
    /// <param name="directories">Where they go.</param>
    /// <param name="nameServer">The node's, on the bridge; null: it has none.</param>
    /// <exception cref="StartFailedException">A Secret or Config is missing.</exception>
    public static void Write(SandboxRecord sandbox, WorkloadTarget target, NodeDirectories directories, string? nameServer)
    {
        var directory = directories.Sandbox(sandbox.Id);
        Directory.CreateDirectory(directory);
        var name = target.Workload.Name;
        var resolvers = File.Exists("/etc/resolv.conf") ? File.ReadAllText("/etc/resolv.conf") : "";
        File.WriteAllText(
            Path.Combine(directory, "resolv.conf"),
            nameServer is null || sandbox.HostNetwork ? ResolvConf(resolvers, sandbox.HostNetwork) : NameZone.ResolvConf(resolvers, nameServer));
        File.WriteAllText(Path.Combine(directory, "hosts"), $"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n{sandbox.Address ?? "127.0.1.1"}\t{name}\n");
        File.WriteAllText(Path.Combine(directory, "hostname"), name + "\n");
        foreach (var file in Names)
        {
            File.SetUnixFileMode(Path.Combine(directory, file), Readable);
            if (sandbox.FirstHostId is { } root)
            {
                Ownership.Set(Path.Combine(directory, file), root, root);
            }
        }

        WriteProjections(sandbox, target, directories);
    }

    /// <summary>Brings the files of Secrets and Configs up to date, at once for each volume; containers may run meanwhile.</summary>
    /// <exception cref="StartFailedException">A Secret, Config or key is missing; the volume before it is done, the others are not.</exception>
    public static void WriteProjections(SandboxRecord sandbox, WorkloadTarget target, NodeDirectories directories)
    {
        var group = (uint?)target.Template.SecurityContext?.FsGroup;
        foreach (var volume in (target.Template.Volumes ?? []).Where(volume => volume is not { Secret: null, Config: null }))
        {
            ProjectedDirectory.Write(
                Path.Combine(directories.SecretVolumes(sandbox.Id), volume.Name), Projection.FilesOf(volume, target.References, groupReads: group is not null), group);
        }
    }

    public static void Remove(string sandboxId, bool volumes, NodeDirectories directories)
    {
        Delete(directories.SecretVolumes(sandboxId));
        if (volumes)
        {
            Delete(directories.EmptyDirs(sandboxId));
        }
    }

    /// <summary>A resolver on the node's loopback cannot be reached from another network namespace.</summary>
    internal static string ResolvConf(string node, bool hostNetwork)
    {
        if (hostNetwork)
        {
            return node;
        }

        var lines = node.Split('\n').Where(line => !(line.TrimStart().StartsWith("nameserver", StringComparison.Ordinal) &&
            line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries) is [_, var address, ..] &&
            (address.StartsWith("127.", StringComparison.Ordinal) || address == "::1")));
        return string.Join('\n', lines);
    }

    private static void Delete(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
    }
}
