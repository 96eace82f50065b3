using System.Text.Json;
using System.Text.Json.Nodes;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Qmp;

namespace EdgeVirt.Node.VirtualMachines.Snapshots;

/// <summary>A job of QEMU.</summary>
/// <param name="IsOver">It does nothing more.</param>
/// <param name="Error">Why it failed or was ended; null: it did not.</param>
internal sealed record BlockJob(bool IsOver, string? Error);

/// <summary>The disks of a QEMU that runs, by its monitor. All of it throws <see cref="QmpCommandException"/> where QEMU refuses, <see cref="QmpException"/> where it is gone.</summary>
internal static class LiveDisks
{
    /// <summary>The one job that a machine has at a time.</summary>
    private const string MergeJob = "merge";
    private const long MergeBytesPerSecond = 32 << 20;
    private const int LayerCacheBytes = 1 << 20;

    // It writes out what the guest wrote before, on whatever disk a board has.
    private static readonly TimeSpan SwitchTimeout = TimeSpan.FromSeconds(30);

    /// <summary>Has QEMU open a new layer, over nothing yet.</summary>
    public static Task OpenAsync(QmpClient monitor, string node, string path, DiskPolicy policy, CancellationToken ct)
    {
        var file = new JsonObject { ["driver"] = "file", ["filename"] = path };
        var layer = new JsonObject { ["driver"] = "qcow2", ["node-name"] = node, ["l2-cache-size"] = LayerCacheBytes, ["backing"] = null, ["file"] = file };
        policy.Describe(file);
        policy.Describe(layer);
        return monitor.ExecuteAsync("blockdev-add", layer, ct: ct);
    }

    /// <summary>Has the guest write to new layers from one moment on: all of them, or none.</summary>
    public static Task SwitchAsync(QmpClient monitor, IEnumerable<(string Node, string Above)> disks, CancellationToken ct) => monitor.ExecuteAsync(
        "transaction",
        new JsonObject
        {
            ["actions"] = new JsonArray(
            [
                .. disks.Select(disk => new JsonObject
                {
                    ["type"] = "blockdev-snapshot", ["data"] = new JsonObject { ["node"] = disk.Node, ["overlay"] = disk.Above },
                }),
            ]),
        },
        SwitchTimeout,
        ct);

    /// <summary>The nodes that guests write to.</summary>
    public static async Task<IReadOnlySet<string>> TopsAsync(QmpClient monitor, CancellationToken ct)
    {
        var tops = new HashSet<string>();
        foreach (var device in (await monitor.ExecuteAsync("query-block", ct: ct)).EnumerateArray())
        {
            if (device.TryGetProperty("inserted", out var inserted) && TextOf(inserted, "node-name") is { } node)
            {
                tops.Add(node);
            }
        }

        return tops;
    }

    /// <summary>All nodes of disks that QEMU has.</summary>
    public static async Task<IReadOnlyList<string>> NodesAsync(QmpClient monitor, CancellationToken ct) =>
    [
        .. (await monitor.ExecuteAsync("query-named-block-nodes", new JsonObject { ["flat"] = true }, ct: ct)).EnumerateArray()
            .Select(node => TextOf(node, "node-name")).OfType<string>().Where(node => node.StartsWith(DiskNodes.Prefix, StringComparison.Ordinal)),
    ];

    /// <summary>Has QEMU close a node that nothing uses. False: it does not.</summary>
    public static async Task<bool> TryCloseAsync(QmpClient monitor, string node, CancellationToken ct)
    {
        try
        {
            await monitor.ExecuteAsync("blockdev-del", new JsonObject { ["node-name"] = node }, ct: ct);
            return true;
        }
        catch (QmpCommandException)
        {
            return false;
        }
    }

    /// <summary>Begins to copy what a layer has into the one below it; the guest writes to neither. What is above begins from the lower one afterwards.</summary>
    /// <param name="monitor">Of a QEMU that does no such thing now.</param>
    /// <param name="top">The node that the guest writes to.</param>
    /// <param name="nodes">Of the two layers.</param>
    /// <param name="lowerPath">Its file, written into the header of what is above.</param>
    /// <param name="ct">Gives up.</param>
    public static Task BeginMergeAsync(QmpClient monitor, string top, (string Upper, string Lower) nodes, string lowerPath, CancellationToken ct) => monitor.ExecuteAsync(
        "block-commit",
        new JsonObject
        {
            ["job-id"] = MergeJob,
            ["device"] = top,
            ["top-node"] = nodes.Upper,
            ["base-node"] = nodes.Lower,
            ["backing-file"] = lowerPath,
            ["speed"] = MergeBytesPerSecond,
            // So that how it ended can be asked, also by the next agent.
            ["auto-dismiss"] = false,
        },
        ct: ct);

    /// <summary>How the merge is; null: there is none.</summary>
    public static async Task<BlockJob?> MergeAsync(QmpClient monitor, CancellationToken ct)
    {
        foreach (var job in (await monitor.ExecuteAsync("query-jobs", ct: ct)).EnumerateArray())
        {
            if (TextOf(job, "id") == MergeJob)
            {
                return new BlockJob(TextOf(job, "status") == "concluded", TextOf(job, "error"));
            }
        }

        return null;
    }

    /// <summary>Ends the merge where it is; wait for it by <see cref="MergeAsync"/>.</summary>
    public static Task CancelMergeAsync(QmpClient monitor, CancellationToken ct) => monitor.ExecuteAsync("job-cancel", new JsonObject { ["id"] = MergeJob }, ct: ct);

    /// <summary>Has QEMU forget a merge that is over.</summary>
    public static Task ForgetMergeAsync(QmpClient monitor, CancellationToken ct) => monitor.ExecuteAsync("job-dismiss", new JsonObject { ["id"] = MergeJob }, ct: ct);

    /// <summary>Makes a disk larger while its guest runs.</summary>
    public static Task GrowAsync(QmpClient monitor, string node, long bytes, CancellationToken ct) =>
        monitor.ExecuteAsync("block_resize", new JsonObject { ["node-name"] = node, ["size"] = bytes }, ct: ct);

    private static string? TextOf(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
