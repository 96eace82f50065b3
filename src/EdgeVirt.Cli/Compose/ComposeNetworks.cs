using EdgeVirt.Contracts.Manifests;

namespace EdgeVirt.Cli.Compose;

/// <summary><c>networks</c>: the workloads of a node have one network, so most of it needs nothing.</summary>
internal static class ComposeNetworks
{
    public static void Check(ManifestEntry networks, ComposeFindings findings)
    {
        findings.Notice(networks.Line, "networks: all workloads of a node are in one network, where they find each other by name; they are not kept apart");
        foreach (var entry in networks.Value.Mapping().Entries.SelectMany(network => network.Value.Mapping().Entries))
        {
            var isPlain = entry.Key is "name" or "external" or "attachable" or "labels" || entry.Key.StartsWith("x-", StringComparison.Ordinal) ||
                (entry.Key is "driver" && entry.Value.Text() is "bridge" or "default") || (entry.Key is "internal" or "enable_ipv6" && !entry.Value.IsTrue());
            if (!isPlain)
            {
                findings.Loss(entry.Line, $"networks: {entry.Key} cannot be carried over");
            }
        }
    }

    public static void CheckOf(string service, ManifestNode networks, ComposeFindings findings)
    {
        if (networks is not ManifestMapping mapping)
        {
            return;
        }

        foreach (var entry in mapping.Entries.SelectMany(network => network.Value.Mapping().Entries).Where(entry => entry.Key is not ("priority" or "gw_priority")))
        {
            findings.Loss(
                entry.Line,
                entry.Key == "aliases" ? $"services.{service}.networks.aliases cannot be carried over: it is found as {ComposeText.Label(service)} alone" : $"services.{service}.networks.{entry.Key} cannot be carried over");
        }
    }
}
