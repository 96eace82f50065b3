using System.CommandLine;
using System.Security.Cryptography;
using System.Text.Json;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Local;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Linux;
using Google.Protobuf;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt screen</c>: the node on a full screen, for who stands before the board.</summary>
internal static class ScreenCommand
{
    private static readonly TimeSpan Redraw = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private static readonly Option<bool> Once = new("--once") { Description = "Print it once, whole, and end; also where the output is no terminal" };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("screen", "Shows the node on this machine on a full screen, until q") { Once, LocalAgent.Socket };
        command.Does(terminal, RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        var terminal = invocation.Terminal;
        if (!invocation.Get(Once) && terminal.OutIsTerminal && invocation.Format == OutputFormat.Table)
        {
            await FollowAsync(invocation, ct);
            return ExitCodes.Ok;
        }

        var content = Content(invocation, await AskAsync(invocation, [], TimeSpan.Zero, ct));
        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(terminal.Out, invocation.Format, content, CliJson.Default.ScreenContent);
            return ExitCodes.Ok;
        }

        foreach (var line in ScreenView.Lines(content, int.MaxValue))
        {
            terminal.Out.WriteLine(line.Render(terminal.Width, terminal.Colours).TrimEnd());
        }

        return ExitCodes.Ok;
    }

    private static async Task FollowAsync(Invocation invocation, CancellationToken ct)
    {
        var answer = await AskAsync(invocation, [], TimeSpan.Zero, ct);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var canvas = new ScreenCanvas(invocation.Terminal, ending.Cancel);
        Task<Answer> asking;
        do
        {
            canvas.Draw(Content(invocation, answer));
            asking = AskAsync(invocation, answer.Digest, Redraw, ending.Token);
            while (!asking.IsCompleted)
            {
                // A new size is drawn at once, and so is what the node says of itself; the time goes on with either.
                await Task.WhenAny(asking, canvas.Resized);
                if (!asking.IsCompleted)
                {
                    canvas.Draw(Content(invocation, answer));
                }
            }

            answer = await asking;
        }
        while (!ending.IsCancellationRequested);
    }

    // With a digest it waits until the agent would say something else.
    private static async Task<Answer> AskAsync(Invocation invocation, byte[] known, TimeSpan wait, CancellationToken ct)
    {
        try
        {
            var query = new LocalSummaryQuery { Known = ByteString.CopyFrom(known), WaitMs = (uint)wait.TotalMilliseconds };
            var data = (await AgentQuestion.AskAsync(invocation, new OpenChannel { LocalSummary = query }, wait + Patience, ct)).Data;
            return new Answer(JsonSerializer.Deserialize(data, ContractsJson.Default.LocalSummary), SHA256.HashData(data), []);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            return new Answer(null, [], []);
        }
        catch (Exception e) when (e is CliException or JsonException)
        {
            var problem = await ProblemAsync(e, ct);
            await Task.Delay(wait, invocation.Terminal.Time, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return new Answer(null, [], problem);
        }
    }

    private static async Task<IReadOnlyList<string>> ProblemAsync(Exception e, CancellationToken ct)
    {
        if (e is CliException { ExitCode: ExitCodes.Unauthorized } refused)
        {
            return [$"does not answer: {refused.Message}", refused.Hint ?? ""];
        }

        var state = await UnitStateAsync(ct);
        return
        [
            $"does not answer: {e.Message}",
            state switch
            {
                "active" or "reloading" => "Its unit is active: wait a minute, a hung agent is started anew; else restart the board",
                "activating" => "Its unit is starting: wait a minute",
                "deactivating" => "Its unit is stopping: the board may be going down",
                "failed" or "inactive" => $"Its unit is {state}: 'systemctl start edgevirt-agent', or restart the board",
                _ => "There is no unit edgevirt-agent here: start the agent, or give --socket PATH",
            },
        ];
    }

    private static async Task<string> UnitStateAsync(CancellationToken ct)
    {
        try
        {
            var result = await ProcessRunner.RunAsync("systemctl", ["is-active", "edgevirt-agent.service"], Patience, ct: ct, check: false);
            return result.Output.Trim();
        }
        catch (Exception e) when (e is ProcessFailedException or OperationCanceledException)
        {
            return "";
        }
    }

    private static ScreenContent Content(Invocation invocation, Answer answer) => new(invocation.Terminal.Now, MachineFacts.Read(), answer.Node, answer.Problem);

    private sealed record Answer(LocalSummary? Node, byte[] Digest, IReadOnlyList<string> Problem);
}
