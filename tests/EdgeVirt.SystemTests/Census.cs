using System.Globalization;
using System.Text.Json;
using EdgeVirt.Testing;

namespace EdgeVirt.SystemTests;

/// <summary>What a node has on the machine at one moment. Counted from the kernel's view, not from the agent's.</summary>
/// <param name="Containers">First processes of containers, by process id.</param>
/// <param name="Monitors">conmon processes.</param>
/// <param name="Mounts">Mounts below the node's directories.</param>
/// <param name="Links">Links of the agent's in the node's network namespace.</param>
internal sealed record Census(IReadOnlyList<int> Containers, int Monitors, int Mounts, int Links)
{
    public static Census Of(RealNode node)
    {
        var directories = (string[])[node.DataDirectory + "/", node.RunDirectory + "/"];
        var monitors = new HashSet<int>();
        var candidates = new List<(int Id, int Parent)>();
        foreach (var path in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out var id))
            {
                continue;
            }

            try
            {
                var program = File.ResolveLinkTarget(path + "/exe", returnFinalTarget: false)?.Name;
                var command = File.ReadAllText(path + "/cmdline");
                if (program == "conmon" && directories.Any(command.Contains))
                {
                    monitors.Add(id);
                }
                else
                {
                    candidates.Add((id, ParentOf(path)));
                }
            }
            catch (IOException)
            {
                // It ended meanwhile, or is a kernel thread.
            }
            catch (UnauthorizedAccessException)
            {
            }
        }

        var mounts = File.ReadLines("/proc/self/mountinfo").Count(line => directories.Any((line.Split(' ')[4] + "/").StartsWith));
        return new Census([.. candidates.Where(one => monitors.Contains(one.Parent)).Select(one => one.Id).Order()], monitors.Count, mounts, CountLinks(node));
    }

    /// <summary>The same counts, whichever processes they are.</summary>
    public bool CountsLike(Census other) =>
        (Containers.Count, Monitors, Mounts, Links) == (other.Containers.Count, other.Monitors, other.Mounts, other.Links);

    public override string ToString() =>
        $"{Containers.Count} containers ({string.Join(' ', Containers)}), {Monitors} monitors, {Mounts} mounts, {Links} links";

    private static int CountLinks(RealNode node)
    {
        using var links = JsonDocument.Parse(node.Place.Run("ip", "-json", "link", "show"));
        return links.RootElement.EnumerateArray().Count(link => link.GetProperty("ifname").GetString() is not ("lo" or "eth0"));
    }

    private static int ParentOf(string process)
    {
        var stat = File.ReadAllText(process + "/stat");
        return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
    }
}
