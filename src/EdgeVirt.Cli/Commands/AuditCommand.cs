using System.CommandLine;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt audit</c>: who tried what, and what came of it.</summary>
internal static class AuditCommand
{
    private static readonly Option<int> Limit = new("--limit") { Description = "At most so many entries", HelpName = "n", DefaultValueFactory = _ => 100 };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("audit", "Shows the hub's audit log, newest first") { Limit };
        command.Does(terminal, RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        using var hub = invocation.Connect();
        var path = HubPaths.Query("/api/v1/audit", ("limit", $"{invocation.Get(Limit)}"));
        var list = await invocation.AskAsync(hub, "reading the audit log", limit => hub.GetAsync(path, ContractsJson.Default.AuditList, limit), ct);
        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, list, ContractsJson.Default.AuditList);
            return ExitCodes.Ok;
        }

        var table = new TableView("AGE", "ACTOR", "ACTION", "OUTCOME", "REASON");
        foreach (var entry in list.Items)
        {
            table.Add(
                Durations.Age(entry.Time, invocation.Terminal.Now),
                entry.Actor,
                entry.Action,
                new Cell(entry.Outcome, entry.Outcome == "ok" ? Tone.Good : Tone.Bad),
                entry.Reason);
        }

        table.Write(invocation.Terminal);
        return ExitCodes.Ok;
    }
}
