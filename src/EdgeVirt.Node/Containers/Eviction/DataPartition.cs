using System.Globalization;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers.Images;

namespace EdgeVirt.Node.Containers.Eviction;

/// <summary>What is free on the data partition, and which workload wrote how much to it.</summary>
internal sealed class DataPartition(NodeOptions options, NodeDirectories directories, RecordStore records)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>Bytes that are to be free; 0: it does not matter.</summary>
    public long MinFreeBytes => options.EvictionMinFreeBytes;

    /// <summary>Whether what an evicted workload wrote is still being removed.</summary>
    public bool IsBeingEmptied => Directory.Exists(directories.Evictions) && Directory.EnumerateFiles(directories.Evictions).Any();

    public DiskSpace Space() => DiskSpace.Of(options.DataDir);

    /// <summary>
    /// What workloads take on the disk by roots, logs and emptyDirs, bytes. Persistent volumes have their space since they were made,
    /// and are never taken for it.
    /// </summary>
    /// <param name="beyondLimits">Leave out what lies within a limit of its own.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<IReadOnlyList<(SandboxRecord Sandbox, long Bytes)>> UsesAsync(bool beyondLimits, CancellationToken ct)
    {
        var owners = records.Containers.Where(container => !container.Retired).Select(container => (Path: directories.Container(container.Id), container.SandboxId))
            .Concat(records.Sandboxes.Select(sandbox => (Path: directories.EmptyDirs(sandbox.Id), SandboxId: sandbox.Id)))
            .Where(place => Directory.Exists(place.Path))
            .ToDictionary(place => place.Path, place => place.SandboxId);
        if (owners.Count == 0)
        {
            return [];
        }

        // Blocks, not lengths; what is mounted below (roots, limited volumes) is left out. Files that vanish meanwhile make it fail, and count no more.
        string[] args = ["-sx", "--block-size=1", .. beyondLimits ? (string[])["--exclude=*.ext4"] : [], "--", .. owners.Keys];
        var measured = await ProcessRunner.RunAsync("du", args, Patience, ct: ct, check: false);
        var bytes = measured.Output.Split('\n').Select(line => line.Split('\t')).Where(parts => parts.Length == 2 && owners.ContainsKey(parts[1]))
            .ToLookup(parts => owners[parts[1]], parts => long.Parse(parts[0], CultureInfo.InvariantCulture));
        return [.. records.Sandboxes.Select(sandbox => (sandbox, bytes[sandbox.Id].Sum()))];
    }
}
