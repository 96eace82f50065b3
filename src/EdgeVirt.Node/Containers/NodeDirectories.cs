using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace EdgeVirt.Node.Containers;

/// <summary>
/// Where containers keep what. Confidential and short-lived things (bundles with the environment, files made of
/// Secrets, the runtime's state) lie on a tmpfs below the run directory, so that they never reach the disk.
/// </summary>
internal sealed class NodeDirectories(NodeOptions options)
{
    private const string LogSuffix = ".log";

    /// <summary>Of the node's ids that workloads with user namespaces of their own get, the first.</summary>
    public uint FirstHostId { get; } = (uint)options.UserNamespaceFirstId;

    /// <summary>A directory per container run.</summary>
    public string Containers { get; } = Path.Combine(options.DataDir, "containers");

    /// <summary>A directory per workload.</summary>
    public string Sandboxes { get; } = Path.Combine(options.DataDir, "sandboxes");

    /// <summary>emptyDir volumes, a directory per workload.</summary>
    public string Volumes { get; } = Path.GetFullPath(Path.Combine(options.DataDir, "volumes"));

    /// <summary>Volumes that outlive workloads, a directory each.</summary>
    public string PersistentVolumes { get; } = Path.GetFullPath(Path.Combine(options.DataDir, "persistent-volumes"));

    /// <summary>
    /// conmon leaves the exit code here, in a file named like the container. It syncs that file, so it lies on the tmpfs;
    /// the agent records the exit durably as soon as it sees it.
    /// </summary>
    public string Exits => Path.Combine(Private, "exits");

    /// <summary>The names by which monitors write logs, of all runs in one directory, so that one watch sees them all.</summary>
    public string LiveLogs { get; } = Path.GetFullPath(Path.Combine(options.DataDir, "logs"));

    /// <summary>A tmpfs of its own: the same for runs whose newest lines are in memory, and a directory of pieces for each.</summary>
    public string MemoryLogs { get; } = Path.GetFullPath(Path.Combine(options.RunDir, "logs"));

    /// <summary>The tmpfs.</summary>
    public string Private { get; } = Path.Combine(options.RunDir, "private");

    /// <summary>Network namespaces, a bind mount per workload.</summary>
    public string NetworkNamespaces { get; } = Path.Combine(options.RunDir, "netns");

    /// <summary>User namespaces, a bind mount per workload that has its own.</summary>
    public string UserNamespaces { get; } = Path.Combine(options.RunDir, "userns");

    /// <summary>State of the OCI runtime.</summary>
    public string RuntimeState => Path.Combine(Private, "runtime");

    /// <summary>A file per sandbox that is complete.</summary>
    public string SandboxMarks => Path.Combine(Private, "sandboxes");

    /// <summary>OCI bundles.</summary>
    public string Bundles => Path.Combine(Private, "bundles");

    /// <summary>
    /// Control group of all containers of this node, below the root. Several agents on one machine may run the same
    /// workload, so it is named after the data directory.
    /// </summary>
    public string CgroupParent { get; } =
        "/edgevirt/" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Path.GetFullPath(options.DataDir))).AsSpan(0, 4));

    /// <summary>
    /// Control group of the containers' monitors, beside the containers': they are neither the agent's for its accounts nor
    /// its service manager's to end. No container's id is without a dash.
    /// </summary>
    public string CgroupOfMonitors => $"{CgroupParent}/monitors";

    public string Container(string id) => Path.Combine(Containers, id);

    public string Root(string id) => Path.Combine(Containers, id, "rootfs");

    public string LiveLog(string id) => Path.Combine(LiveLogs, id + LogSuffix);

    public string MemoryLog(string id) => Path.Combine(MemoryLogs, id + LogSuffix);

    public string MemoryPieces(string id) => Path.Combine(MemoryLogs, id);

    /// <summary>Whose log it is, also where conmon has just begun it.</summary>
    public static string IdOfLiveLog(string path) => Path.GetFileName(path) is var name && name.LastIndexOf(LogSuffix, StringComparison.Ordinal) is > 0 and var end ? name[..end] : name;

    /// <summary>What a run writes to its root where that has a limit: an ext4 image, and where it is mounted.</summary>
    public string WritableImage(string id) => Path.Combine(Containers, id, "writable.ext4");

    public string WritableMount(string id) => Path.Combine(Containers, id, "writable");

    public string Exit(string id) => Path.Combine(Exits, id);

    public string Bundle(string id) => Path.Combine(Bundles, id);

    /// <summary>Mounts of one run's volumes that had to be looked up.</summary>
    public string MountSources(string id) => Path.Combine(Path.GetFullPath(Private), "mounts", id);

    public string MountSource(string id, int number) => Path.Combine(MountSources(id), number.ToString(CultureInfo.InvariantCulture));

    public string PidFile(string id) => Path.Combine(Bundles, id, "pid");

    public string Cgroup(string id) => $"{CgroupParent}/{id}";

    public string Sandbox(string id) => Path.Combine(Sandboxes, id);

    public string NetworkNamespace(string sandboxId) => Path.Combine(NetworkNamespaces, sandboxId);

    public string UserNamespace(string sandboxId) => Path.Combine(UserNamespaces, sandboxId);

    /// <summary>Of a sandbox with a user namespace of its own; null: it has none.</summary>
    public string? UserNamespaceOf(SandboxRecord sandbox) => sandbox.FirstHostId is null ? null : UserNamespace(sandbox.Id);

    public string SecretVolumes(string sandboxId) => Path.Combine(Private, "volumes", sandboxId);

    /// <summary>Exists when a sandbox was made to its end.</summary>
    public string SandboxMark(string sandboxId) => Path.Combine(SandboxMarks, sandboxId);

    /// <summary>Files that say which workloads are being evicted, named after their sandboxes.</summary>
    public string Evictions => Path.Combine(Private, "evictions");

    public string PersistentVolume(string name) => Path.Combine(PersistentVolumes, name);

    /// <summary>Where a persistent volume is mounted; absolute, as the kernel lists it.</summary>
    public string PersistentMount(string name) => Path.Combine(Path.GetFullPath(options.RunDir), "persistent-volumes", name);

    public string EmptyDirs(string sandboxId) => Path.Combine(Volumes, sandboxId);
}
