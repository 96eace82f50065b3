using System.CommandLine;
using System.Globalization;
using System.Runtime.CompilerServices;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Local;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt logs WORKLOAD</c>: through the hub, or from the agent on this machine.</summary>
internal static class LogsCommand
{
    private const string MissingNotice = "[lines may be missing here: the container wrote more than could be kept; raise logs.maxSize, or have it write less]";

    private static readonly Argument<string> Workload = new("workload") { Description = "The workload's name" };
    private static readonly Option<string?> Container = new("--container", "-c") { Description = "Which container; needed if there are several", HelpName = "name" };
    private static readonly Option<string?> Node = new("--node", "-n") { Description = "Which node; needed if it runs on several", HelpName = "name" };
    private static readonly Option<bool> Follow = new("--follow", "-f") { Description = "Go on with new lines, until Ctrl-C" };
    private static readonly Option<int?> Tail = new("--tail") { Description = "Only the last lines", HelpName = "n" };
    private static readonly Option<TimeSpan?> Since = Durations.Option("--since", "Only lines of the last 90s, 5m, 1h30m …");
    private static readonly Option<bool> Previous = new("--previous", "-p") { Description = "Of the run before this one" };
    private static readonly Option<bool> Timestamps = new("--timestamps") { Description = "The time (UTC) before each line" };
    private static readonly Option<bool> Local = new("--local") { Description = "Ask the agent on this machine instead of the hub" };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("logs", "Shows what a workload's containers wrote")
        {
            Workload, Container, Node, Follow, Tail, Since, Previous, Timestamps, Local, LocalAgent.Socket,
        };
        command.Does(terminal, RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        if (invocation.Get(Tail) is < 0)
        {
            throw new CliException(ExitCodes.Usage, "--tail must not be negative.", "Leave it out for all lines.");
        }

        var entries = invocation.Get(Local) ? FromAgent(invocation, ct) : FromHub(invocation, ct);
        var output = invocation.Terminal.Out;
        var timestamps = invocation.Get(Timestamps);
        var begun = false;
        await using var lines = entries.GetAsyncEnumerator(ct);
        while (true)
        {
            var next = lines.MoveNextAsync();
            if (!next.IsCompleted)
            {
                // Nothing more is at hand: show what there is before waiting.
                output.Flush();
            }

            if (!await next)
            {
                return ExitCodes.Ok;
            }

            var entry = lines.Current;
            if (entry.Code is { } code)
            {
                throw new CliException(ExitCodes.OfApiCode(code), entry.Message ?? "the log broke off.", entry.Hint);
            }

            if (invocation.Format != OutputFormat.Table)
            {
                JsonOutput.WriteNext(output, invocation.Format, entry, CliJson.Default.LogEntry);
                continue;
            }

            if (entry.Missing == true)
            {
                // Whatever was told to be quiet about: a log that seems whole and is not misleads.
                output.Write(begun ? "\n" : "");
                begun = false;
                invocation.Terminal.Flush();
                invocation.Terminal.Error.WriteLine(MissingNotice);
                continue;
            }

            if (timestamps && !begun)
            {
                output.Write(entry.Time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z '", CultureInfo.InvariantCulture));
            }

            output.Write(entry.Text);
            begun = entry.Partial;
            if (!entry.Partial)
            {
                output.WriteLine();
            }
        }
    }

    private static async IAsyncEnumerable<LogEntry> FromHub(Invocation invocation, [EnumeratorCancellation] CancellationToken ct)
    {
        using var hub = invocation.Connect();
        var since = invocation.Get(Since) is { } ago ? (invocation.Terminal.Now - ago).UtcDateTime.ToString("O", CultureInfo.InvariantCulture) : null;
        var path = HubPaths.Query(
            $"/api/v1/workloads/{Uri.EscapeDataString(invocation.Get(Workload))}/logs",
            ("node", invocation.Get(Node)),
            ("container", invocation.Get(Container)),
            ("follow", invocation.Get(Follow) ? "true" : null),
            ("tail", invocation.Get(Tail)?.ToString(CultureInfo.InvariantCulture)),
            ("since", since),
            ("previous", invocation.Get(Previous) ? "true" : null));
        await foreach (var entry in hub.StreamAsync(path, CliJson.Default.LogEntry, ct))
        {
            yield return entry;
        }
    }

    private static async IAsyncEnumerable<LogEntry> FromAgent(Invocation invocation, [EnumeratorCancellation] CancellationToken ct)
    {
        using var agent = await LocalAgent.ConnectAsync(invocation, ct);
        var request = new LogsRequest
        {
            Workload = invocation.Get(Workload),
            Container = invocation.Get(Container) ?? "",
            Follow = invocation.Get(Follow),
            Tail = invocation.Get(Tail) ?? -1,
            SinceUnixMs = invocation.Get(Since) is { } ago ? (invocation.Terminal.Now - ago).ToUnixTimeMilliseconds() : 0,
            Previous = invocation.Get(Previous),
        };
        await foreach (var line in LogLines.ReadAsync(agent.OpenAsync(new OpenChannel { Logs = request }, ct), ct))
        {
            var time = DateTimeOffset.UnixEpoch.AddTicks(line.TimeUnixNs / TimeSpan.NanosecondsPerTick);
            yield return line.Missing ? new LogEntry { Time = time, Missing = true } : new LogEntry
            {
                Time = time,
                Stream = line.Stderr ? "stderr" : "stdout",
                Text = line.Text.ToStringUtf8(),
                Partial = line.Partial,
            };
        }
    }
}
