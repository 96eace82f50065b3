using System.Text;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.State;

namespace EdgeVirt.Node.Networks.Names;

/// <summary>The names of workloads: which there are, and how a container gets to ask for them. Pure.</summary>
internal static class NameZone
{
    /// <summary>Each workload's name stands below it. The end is reserved for private use and is never looked up outside.</summary>
    public const string Domain = "edgevirt.internal";

    /// <summary>
    /// The names of a node as hosts(5), those of ready workloads alone: who asks gets somebody who answers, or learns that
    /// there is nobody. A workload on the node's own network is reached at the bridge's address.
    /// </summary>
    public static string Hosts(IEnumerable<ObservedWorkload> workloads, string bridgeAddress, IEnumerable<ObservedVirtualMachine>? machines = null)
    {
        var text = new StringBuilder();
        foreach (var (name, status) in workloads.Where(workload => IsReady(workload.Status)).Select(workload => (workload.Name, workload.Status)))
        {
            text.Append($"{status.Address ?? bridgeAddress} {name}.{Domain}\n");
        }

        // A machine without an address is on no network.
        foreach (var machine in (machines ?? []).Where(machine => machine.Status.Address is not null && IsReady(machine.Status)))
        {
            text.Append($"{machine.Status.Address} {machine.Name}.{Domain}\n");
        }

        return text.ToString();
    }

    /// <summary>
    /// A container's resolv.conf(5). Its one server is the node's, which knows the names of workloads and passes on the rest to
    /// whatever resolvers the node has at that moment; the node's own search domains come after the workloads'.
    /// </summary>
    public static string ResolvConf(string node, string server)
    {
        var lines = node.Split('\n').Select(line => line.Split((char[])[' ', '\t', '\r'], StringSplitOptions.RemoveEmptyEntries)).ToList();
        // The last of them counts.
        var search = lines.LastOrDefault(words => words is ["search" or "domain", ..]) ?? [];
        var options = lines.Where(words => words is ["options", ..]).Select(words => string.Join(' ', words));
        return string.Join('\n', [$"nameserver {server}", string.Join(' ', ["search", Domain, .. search.Skip(1)]), .. options, ""]);
    }

    private static bool IsReady(InstanceStatus status) =>
        status.Conditions.Any(condition => condition is { Type: ConditionTypes.Ready, Status: ConditionStatus.True });
}
