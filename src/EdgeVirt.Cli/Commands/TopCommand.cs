using System.CommandLine;
using System.Globalization;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Interactive;
using EdgeVirt.Cli.Local;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt top nodes|workloads</c>: processor and memory now, out of what the nodes measured last.</summary>
internal static class TopCommand
{
    private const int MostPoints = 10_000;

    /// <summary>Nodes measure every 10 seconds by default and may take a while to deliver.</summary>
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(2);

    private static readonly Option<string?> Node = new("--node", "-n") { Description = "Only of this node", HelpName = "name" };

    public static Command Create(Terminal terminal)
    {
        var nodes = new Command("nodes", "What nodes use, most memory first") { Node, ChannelOptions.Local, LocalAgent.Socket };
        nodes.Does(terminal, NodesAsync);
        var workloads = new Command("workloads", "What containers use, most processor time first") { Node, ChannelOptions.Local, LocalAgent.Socket };
        workloads.Does(terminal, WorkloadsAsync);
        return new Command("top", "Processor and memory in use now, as nodes measured last; with --local as the agent on this machine measures it") { nodes, workloads };
    }

    private static async Task<int> NodesAsync(Invocation invocation, CancellationToken ct)
    {
        var usage = Usage.OfNodes(await PointsAsync(invocation, [Usage.CpuUtilization, Usage.SystemMemory, Usage.SystemMemoryLimit], ct));
        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, [.. usage], CliJson.Default.NodeUsageArray);
            return ExitCodes.Ok;
        }

        var table = new TableView("NAME", "CPU", "MEMORY", "OF", "AGE");
        foreach (var one in usage)
        {
            var of = one is { MemoryBytes: { } used, MemoryLimitBytes: > 0 and { } limit } ? Percent((double)used / limit) : "-";
            table.Add(one.Node, one.CpuUtilization is { } cpu ? Percent(cpu) : "-", Bytes(one.MemoryBytes), of, Durations.Age(one.Time, invocation.Terminal.Now));
        }

        return Show(invocation, table);
    }

    private static async Task<int> WorkloadsAsync(Invocation invocation, CancellationToken ct)
    {
        var usage = Usage.OfContainers(await PointsAsync(invocation, [Usage.ContainerCpu, Usage.ContainerMemory], ct));
        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, [.. usage], CliJson.Default.ContainerUsageArray);
            return ExitCodes.Ok;
        }

        var table = new TableView("WORKLOAD", "CONTAINER", "NODE", "CPU", "MEMORY", "AGE");
        foreach (var one in usage)
        {
            // Thousandths of a processor, as limits are written.
            var cpu = one.CpuCores is { } cores ? string.Create(CultureInfo.InvariantCulture, $"{cores * 1000:0}m") : "-";
            table.Add(one.Workload, one.Container, one.Node, cpu, Bytes(one.MemoryBytes), Durations.Age(one.Time, invocation.Terminal.Now));
        }

        return Show(invocation, table);
    }

    private static int Show(Invocation invocation, TableView table)
    {
        if (table.IsEmpty)
        {
            invocation.Note($"Nothing was measured in the last {Durations.Format(Window)}; 'edgevirt get nodes' says which nodes are connected.");
        }
        else
        {
            table.Write(invocation.Terminal);
        }

        return ExitCodes.Ok;
    }

    private static async Task<IReadOnlyList<TelemetryPoint>> PointsAsync(Invocation invocation, IReadOnlyList<string> metrics, CancellationToken ct)
    {
        if (invocation.Get(ChannelOptions.Local))
        {
            return await LocalPointsAsync(invocation, ct);
        }

        using var hub = invocation.Connect();
        List<TelemetryPoint> points = [];
        foreach (var metric in metrics)
        {
            var path = HubPaths.Query(
                "/api/v1/telemetry",
                ("node", invocation.Get(Node)),
                ("metric", metric),
                ("from", (invocation.Terminal.Now - Window).UtcDateTime.ToString("O", CultureInfo.InvariantCulture)),
                ("limit", MostPoints.ToString(CultureInfo.InvariantCulture)));
            var result = await invocation.AskAsync(hub, "querying", limit => hub.GetAsync(path, ContractsJson.Default.TelemetryQueryResult, limit), ct);
            points.AddRange(result.Points);
            if (result.Truncated)
            {
                invocation.Note($"There is more than {MostPoints} values of {metric}: what is shown may be older than need be; ask for one --node.");
            }
        }

        return points;
    }

    private static async Task<IReadOnlyList<TelemetryPoint>> LocalPointsAsync(Invocation invocation, CancellationToken ct)
    {
        var open = new OpenChannel { Usage = new UsageQuery() };
        var bytes = await invocation.Progress.WhileAsync(() => "asking the agent", limit => NodeCommand.CallAsync(invocation, open, limit), ct);
        List<TelemetryPoint> points = [];
        try
        {
            using var messages = new MemoryStream(bytes);
            while (messages.Position < messages.Length)
            {
                var record = TelemetryRecord.Parser.ParseDelimitedFrom(messages);
                var at = DateTimeOffset.FromUnixTimeMilliseconds(record.TimeUnixMs);
                points.AddRange(record.Samples.Select(sample => new TelemetryPoint(at, Environment.MachineName, sample.Metric, sample.Value, sample.Attributes)));
            }
        }
        catch (InvalidProtocolBufferException fault)
        {
            throw AgentJson.Unreadable(fault);
        }

        return points;
    }

    private static string Percent(double part) => part.ToString("0%", CultureInfo.InvariantCulture);

    private static string Bytes(long? bytes) => bytes is { } known ? Description.Bytes(known) : "-";
}
