using System.CommandLine;
using System.Text;
using System.Text.Json;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt describe KIND NAME</c>: all that is known of one resource, for people.</summary>
internal static class DescribeCommand
{
    private static readonly Argument<string> Kind = Kinds.Argument();
    private static readonly Argument<string> Name = new("name") { Description = "Which one" };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("describe", "Shows one resource in full") { Kind, Name };
        command.Does(terminal, RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        var kind = Kinds.Parse(invocation.Get(Kind));
        var name = invocation.Get(Name);
        using var hub = invocation.Connect();
        var resource = await invocation.AskAsync(hub, $"reading {kind.Name}/{name}", limit => hub.GetAsync(HubPaths.Of(kind, name), ContractsJson.Default.Resource, limit), ct);
        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, Redaction.ForDescription(resource), ContractsJson.Default.Resource);
            return ExitCodes.Ok;
        }

        var to = new Description(invocation.Terminal);
        WriteHead(to, resource);
        WriteBody(to, resource);
        return ExitCodes.Ok;
    }

    private static void WriteHead(Description to, Resource resource)
    {
        to.Field("Name", resource.Metadata.Name);
        to.Field("Kind", resource.Kind);
        to.Map("Labels", resource.Metadata.Labels);
        to.Map("Annotations", resource.Metadata.Annotations);
        to.Time("Created", resource.Metadata.CreationTimestamp);
        to.Field("Generation", resource.Metadata.Generation?.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    private static void WriteBody(Description to, Resource resource)
    {
        switch (resource.Kind)
        {
            case "Workload":
                WorkloadDescription.Write(to, resource.SpecOf<WorkloadSpec>(), KindTables.StatusOf(resource));
                break;
            case "VirtualMachine":
                VirtualMachineDescription.Write(to, resource.SpecOf<VirtualMachineSpec>(), (VirtualMachineStatus?)KindTables.PlacedStatusOf(resource));
                break;
            case "Node":
                to.Field("Unschedulable", resource.SpecOf<NodeSpec>().Unschedulable ? "yes: takes no further workloads" : null);
                NodeDescription.Write(to, resource.Status?.Deserialize(ContractsJson.Default.NodeStatus) ?? new NodeStatus());
                break;
            case "BoardClaim":
                WriteClaim(to, resource);
                break;
            case "Secret":
                var secret = resource.SpecOf<SecretSpec>();
                WriteKeys(to, Redaction.KeysOf(resource), key => secret.Data?.GetValueOrDefault(key)?.LongLength ?? 0);
                break;
            case "Config":
                var config = resource.SpecOf<ConfigSpec>();
                WriteKeys(to, [.. config.Data.Keys.Order(StringComparer.Ordinal)], key => Encoding.UTF8.GetByteCount(config.Data[key]));
                break;
            default:
                break;
        }
    }

    private static void WriteClaim(Description to, Resource claim)
    {
        var spec = claim.SpecOf<BoardClaimSpec>();
        var status = claim.Status?.Deserialize(ContractsJson.Default.BoardClaimStatus);
        to.Field("Uses", $"{status?.Uses ?? 0} of {spec.MaxUses}");
        to.Time("Expires", spec.ExpiresAt ?? claim.Metadata.CreationTimestamp + TimeSpan.FromHours(24));
        to.Field("Revoked", spec.Revoked ? "yes" : null);
        to.Map("Node labels", spec.NodeLabels);
        to.Field("Nodes", string.Join(", ", status?.Nodes ?? []));
    }

    /// <summary>Names and sizes; a Secret's values the hub keeps to itself, and so mostly their sizes.</summary>
    private static void WriteKeys(Description to, IReadOnlyList<string> keys, Func<string, long> size)
    {
        to.Section("Keys");
        var table = new TableView("KEY", "SIZE");
        foreach (var key in keys)
        {
            table.Add(key, size(key) is > 0 and var bytes ? Description.Bytes(bytes) : "-");
        }

        to.Table(table);
    }
}
