using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using EdgeVirt.Contracts.Manifests;

namespace EdgeVirt.Cli.Compose;

/// <summary><c>ports</c> of a service, short and long.</summary>
internal static partial class ComposePorts
{
    public static JsonArray Map(ManifestNode node, ComposeFindings findings)
    {
        var ports = new JsonArray();
        foreach (var item in node.Items())
        {
            var text = item is ManifestMapping map ? Short(map, findings) : item.Text();
            if (Port().Match(text) is not { Success: true } match)
            {
                findings.Loss(item.Line, $"the port '{text}' is not understood; write it as [address:]port:port[/udp], IPv4 only");
                continue;
            }

            var (inside, outside) = (Range(match.Groups["inside"].Value), Range(match.Groups["outside"].Value));
            if (outside.Count > 0 && inside.Count != outside.Count)
            {
                findings.Loss(item.Line, $"the port '{text}' has ranges of different length");
                continue;
            }

            if (outside.Count == 0)
            {
                findings.Loss(item.Line, $"the port '{text}' asks for any free port of the node; name one, as {inside[0]}:{inside[0]}");
            }

            for (var i = 0; i < inside.Count; i++)
            {
                var port = new JsonObject { ["containerPort"] = inside[i] };
                if (outside.Count > 0)
                {
                    port["hostPort"] = outside[i];
                    if (match.Groups["address"] is { Success: true } address)
                    {
                        port["hostIP"] = address.Value;
                    }
                }

                if (match.Groups["protocol"].Value == "udp")
                {
                    port["protocol"] = "UDP";
                }

                ports.Add((JsonNode)port);
            }
        }

        return ports;
    }

    private static string Short(ManifestMapping map, ComposeFindings findings)
    {
        foreach (var entry in map.Entries.Where(entry => entry.Key is not ("target" or "published" or "protocol" or "host_ip" or "name")))
        {
            findings.Loss(entry.Line, $"ports.{entry.Key} cannot be carried over");
        }

        var (address, outside) = (map.Text("host_ip"), map.Text("published"));
        return (address is null ? "" : $"{address}:") + (outside is null ? "" : $"{outside}:") + map.Text("target") + $"/{map.Text("protocol") ?? "tcp"}";
    }

    private static List<int> Range(string text)
    {
        var ends = text.Split('-', StringSplitOptions.RemoveEmptyEntries).Select(end => int.Parse(end, CultureInfo.InvariantCulture)).ToList();
        return ends.Count == 0 ? [] : [.. Enumerable.Range(ends[0], Math.Clamp(ends[^1] - ends[0] + 1, 1, 65_535))];
    }

    [GeneratedRegex(@"^(?:(?:(?<address>\d+\.\d+\.\d+\.\d+):)?(?<outside>\d{1,5}(?:-\d{1,5})?):)?(?<inside>\d{1,5}(?:-\d{1,5})?)(?:/(?<protocol>tcp|udp))?$")]
    private static partial Regex Port();
}
