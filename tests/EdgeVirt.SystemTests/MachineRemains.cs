using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EdgeVirt.Testing;

namespace EdgeVirt.SystemTests;

/// <summary>What a node has of virtual machines at one moment. Counted from the kernel's view, not from the agent's.</summary>
/// <param name="Qemus">QEMU's process ids.</param>
/// <param name="Groups">Control groups of machines.</param>
/// <param name="Mounts">Mounts below the node's directories.</param>
/// <param name="Links">Machines' links in the node's network namespace.</param>
/// <param name="Folders">Directories with disks and records of machines.</param>
internal sealed record MachineRemains(IReadOnlyList<int> Qemus, int Groups, int Mounts, int Links, int Folders)
{
    public static MachineRemains Of(RealNode node)
    {
        var directories = (string[])[node.DataDirectory + "/", node.RunDirectory + "/"];
        var folder = Path.Combine(node.DataDirectory, "virtual-machines");
        using var links = JsonDocument.Parse(node.Place.Run("ip", "-json", "-details", "link", "show"));
        return new MachineRemains(
            [.. Processes(directories).Order()],
            GroupsOf(node).Count(),
            File.ReadLines("/proc/self/mountinfo").Count(line => directories.Any((line.Split(' ')[4] + "/").StartsWith)),
            links.RootElement.EnumerateArray().Count(link => link.TryGetProperty("linkinfo", out var info) && info.TryGetProperty("info_kind", out var kind) && kind.GetString() == "tun"),
            Directory.Exists(folder) ? Directory.GetDirectories(folder).Length : 0);
    }

    public bool CountsLike(MachineRemains other) =>
        (Qemus.Count, Groups, Mounts, Links, Folders) == (other.Qemus.Count, other.Groups, other.Mounts, other.Links, other.Folders);

    public override string ToString() => $"QEMU ({string.Join(' ', Qemus)}), {Groups} control groups, {Mounts} mounts, {Links} links, {Folders} folders";

    private static IEnumerable<int> Processes(string[] directories)
    {
        foreach (var path in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out var id))
            {
                continue;
            }

            string line;
            try
            {
                line = File.ReadAllText(path + "/cmdline");
            }
            catch (IOException)
            {
                // It ended meanwhile.
                continue;
            }

            if (Path.GetFileName(line.Split('\0')[0]).StartsWith("qemu-system-", StringComparison.Ordinal) && directories.Any(line.Contains))
            {
                yield return id;
            }
        }
    }

    // In every hierarchy; the agent names its control group after its data directory.
    private static IEnumerable<string> GroupsOf(RealNode node)
    {
        var name = "edgevirt/" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(node.DataDirectory)).AsSpan(0, 4)) + "/machines";
        return Directory.GetDirectories("/sys/fs/cgroup").Append("/sys/fs/cgroup")
            .Select(hierarchy => Path.Combine(hierarchy, name)).Where(Directory.Exists).SelectMany(Directory.GetDirectories);
    }
}
