namespace EdgeVirt.Node.Containers.Volumes;

/// <summary>
/// Which workloads have which persistent volumes: a small file in the directory of each sandbox, written before anything is
/// mounted, gone with the sandbox.
/// </summary>
internal sealed class VolumeUses(NodeDirectories directories)
{
    private const string FileName = "volumes";

    /// <summary>A sandbox is about to have these.</summary>
    public void Write(string sandboxId, string workload, IReadOnlyCollection<string> volumes)
    {
        if (volumes.Count > 0)
        {
            File.WriteAllLines(PathOf(sandboxId), [workload, .. volumes]);
        }
        else
        {
            File.Delete(PathOf(sandboxId));
        }
    }

    /// <summary>A sandbox no longer has any; gives those that it had.</summary>
    public IReadOnlyList<string> Remove(string sandboxId)
    {
        var volumes = Read(PathOf(sandboxId)).Volumes;
        if (volumes.Count > 0)
        {
            File.Delete(PathOf(sandboxId));
        }

        return volumes;
    }

    /// <summary>Names of the workloads that have a volume, in order.</summary>
    public IReadOnlyList<string> WorkloadsOf(string volume) =>
        [.. All().Where(use => use.Volumes.Contains(volume)).Select(use => use.Workload).Distinct().Order(StringComparer.Ordinal)];

    private IEnumerable<(string Workload, IReadOnlyList<string> Volumes)> All() =>
        Directory.Exists(directories.Sandboxes) ? Directory.EnumerateDirectories(directories.Sandboxes).Select(directory => Read(Path.Combine(directory, FileName))) : [];

    private string PathOf(string sandboxId) => Path.Combine(directories.Sandbox(sandboxId), FileName);

    private static (string Workload, IReadOnlyList<string> Volumes) Read(string path)
    {
        try
        {
            return File.ReadAllLines(path) is [var workload, .. var volumes] ? (workload, volumes) : ("", []);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return ("", []);
        }
    }
}
