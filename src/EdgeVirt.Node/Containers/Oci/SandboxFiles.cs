using System.Text;
using EdgeVirt.Node.Networks.Names;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>The files that all containers of a workload share: name resolution and volumes.</summary>
internal static class SandboxFiles
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Everyone = OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
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
        }

        foreach (var volume in target.Template.Volumes ?? [])
        {
            if (volume.EmptyDir is not null)
            {
                Directory.CreateDirectory(directories.EmptyDirs(sandbox.Id));
                // As in Kubernetes, whoever the container runs as may write.
                var path = Path.Combine(directories.EmptyDirs(sandbox.Id), volume.Name);
                Directory.CreateDirectory(path);
                File.SetUnixFileMode(path, Everyone | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite);
                continue;
            }

            var (files, mode) = volume.Secret is { } secret
                ? (target.References.Secret(secret.SecretName), secret.DefaultMode)
                : (target.References.Config(volume.Config!.Name)?.ToDictionary(pair => pair.Key, pair => Encoding.UTF8.GetBytes(pair.Value)), volume.Config.DefaultMode);
            WriteVolume(Path.Combine(directories.SecretVolumes(sandbox.Id), volume.Name), volume.Name, files, (UnixFileMode?)mode ?? Readable);
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

    private static void WriteVolume(string path, string volume, IReadOnlyDictionary<string, byte[]>? files, UnixFileMode mode)
    {
        if (files is null)
        {
            throw new StartFailedException($"what volume '{volume}' is made of does not exist; apply that Secret or Config");
        }

        Delete(path);
        Directory.CreateDirectory(path, Everyone);
        foreach (var (name, content) in files)
        {
            using var file = new FileStream(Path.Combine(path, name), new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode });
            File.SetUnixFileMode(file.SafeFileHandle, mode);
            file.Write(content);
        }
    }

    private static void Delete(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
    }
}
