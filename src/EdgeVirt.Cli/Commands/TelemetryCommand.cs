using System.CommandLine;
using System.Globalization;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt telemetry query</c>.</summary>
internal static class TelemetryCommand
{
    private static readonly Option<string?> Node = new("--node", "-n") { Description = "Only of this node", HelpName = "name" };
    private static readonly Option<string?> Metric = new("--metric", "-m") { Description = "Only this metric, e.g. system.cpu.utilization", HelpName = "name" };
    private static readonly Option<string[]> Attributes = new("--attr") { Description = "Only with this attribute; may be given more than once", HelpName = "key=value" };
    private static readonly Option<TimeSpan?> Since = Durations.Option("--since", "How far back (1h)");
    private static readonly Option<string?> From = new("--from") { Description = "Not before this time, e.g. 2026-11-22T18:00:00Z", HelpName = "time" };
    private static readonly Option<string?> To = new("--to") { Description = "Before this time", HelpName = "time" };
    private static readonly Option<TimeSpan?> Step = Durations.Option("--step", "One mean per so much time");
    private static readonly Option<int?> Limit = new("--limit") { Description = "At most so many rows", HelpName = "n" };

    public static Command Create(Terminal terminal)
    {
        var query = new Command("query", "Shows what nodes measured") { Node, Metric, Attributes, Since, From, To, Step, Limit };
        query.Does(terminal, RunAsync);
        return new Command("telemetry", "What nodes measured") { query };
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        using var hub = invocation.Connect();
        var path = HubPaths.Query("/api/v1/telemetry", [.. Parameters(invocation)]);
        var result = await invocation.AskAsync(hub, "querying", limit => hub.GetAsync(path, ContractsJson.Default.TelemetryQueryResult, limit), ct);
        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, result, ContractsJson.Default.TelemetryQueryResult);
        }
        else if (result.Points.Count == 0)
        {
            invocation.Note("Nothing was measured in that time that matches.");
        }
        else
        {
            WriteTable(invocation.Terminal, result.Points);
        }

        if (result.Truncated)
        {
            invocation.Note("There is more: narrow the query, or raise --limit.");
        }

        foreach (var (node, missing) in result.MissingRecords ?? new Dictionary<string, long>())
        {
            if (missing > 0)
            {
                invocation.Note($"{node}: {missing} records were dropped or lost on the node.");
            }
        }

        if (result.ErasedUpTo is { } erased)
        {
            invocation.Note($"The hub's retention deleted samples up to {Durations.Absolute(erased)}.");
        }

        return ExitCodes.Ok;
    }

    private static IEnumerable<(string, string?)> Parameters(Invocation invocation)
    {
        var from = Time(invocation.Get(From), "--from");
        if (from is not null && invocation.Get(Since) is not null)
        {
            throw new CliException(ExitCodes.Usage, "--since and --from together say too much.", "Leave one of them out.");
        }

        var to = Time(invocation.Get(To), "--to");
        yield return ("node", invocation.Get(Node));
        yield return ("metric", invocation.Get(Metric));
        foreach (var attribute in invocation.Get(Attributes) ?? [])
        {
            var cut = attribute.IndexOf('=', StringComparison.Ordinal);
            if (cut <= 0)
            {
                throw new CliException(ExitCodes.Usage, $"'{attribute}' is no attribute.", "Write --attr key=value.");
            }

            yield return ($"attr.{Uri.EscapeDataString(attribute[..cut])}", attribute[(cut + 1)..]);
        }

        yield return ("from", Text(from ?? (to ?? invocation.Terminal.Now) - (invocation.Get(Since) ?? TimeSpan.FromHours(1))));
        yield return ("to", to is null ? null : Text(to.Value));
        yield return ("step", invocation.Get(Step) is { } step ? $"{(long)step.TotalSeconds}s" : null);
        yield return ("limit", invocation.Get(Limit)?.ToString(CultureInfo.InvariantCulture));
    }

    private static void WriteTable(Terminal terminal, IReadOnlyList<TelemetryPoint> points)
    {
        var table = new TableView("TIME", "NODE", "METRIC", "VALUE", "ATTRIBUTES");
        foreach (var point in points)
        {
            var attributes = (point.Attributes ?? new Dictionary<string, string>()).OrderBy(one => one.Key, StringComparer.Ordinal).Select(one => $"{one.Key}={one.Value}");
            table.Add(
                Durations.Absolute(point.Time),
                point.Node,
                point.Metric,
                point.Value.ToString("0.######", CultureInfo.InvariantCulture),
                string.Join(",", attributes));
        }

        table.Write(terminal);
    }

    private static DateTimeOffset? Time(string? text, string option)
    {
        if (text is null)
        {
            return null;
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time
            : throw new CliException(ExitCodes.Usage, $"'{text}' is no time.", $"Write {option} 2026-11-22T18:00:00Z.");
    }

    private static string Text(DateTimeOffset time) => time.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
}
