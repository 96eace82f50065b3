using System.CommandLine;
using EdgeVirt.Cli.Local;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt factory-reset</c>: makes the board on which this runs what it was when it was flashed.</summary>
internal static class FactoryResetCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly Option<string?> Yes = new("--yes") { Description = "The node's name, so that nobody has to type it", HelpName = "name" };
    private static readonly Option<string?> TokenFile = new("--claim-token-file") { Description = "File with a claim token, by which the board enrolls again by itself", HelpName = "file" };
    private static readonly Option<bool> KeepNetwork = new("--keep-network")
    {
        Description = "Keep what the card says about the network; --keep-network false takes it out", DefaultValueFactory = _ => true,
    };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("factory-reset", "Wipes identity, state, workloads and volumes of the node on this machine, and restarts it") { Yes, TokenFile, KeepNetwork, LocalAgent.Socket };
        command.Does(terminal, RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        var token = invocation.Get(TokenFile) is { } file ? (await RehomeCommand.ReadTokenAsync(file, invocation.Terminal, ct)).Reveal() : "";
        var name = invocation.Get(Yes) ?? await ConfirmAsync(invocation, ct);
        var command = new Contracts.Protos.FactoryResetCommand { NodeName = name, ClaimToken = token, ForgetNetwork = !invocation.Get(KeepNetwork) };
        var answer = await invocation.Progress.WhileAsync(
            () => "asking the agent",
            limit => AgentQuestion.AskAsync(invocation, new OpenChannel { FactoryReset = command }, invocation.GivenTimeout ?? Patience, limit),
            ct);
        invocation.Say(answer.Words);
        return ExitCodes.Ok;
    }

    private static async Task<string> ConfirmAsync(Invocation invocation, CancellationToken ct)
    {
        var terminal = invocation.Terminal;
        if (!terminal.InIsTerminal)
        {
            throw new CliException(ExitCodes.Usage, "nobody is there to be asked.", "Give --yes NAME with the node's name, as 'edgevirt screen --once' shows it.");
        }

        var node = await NameAsync(invocation, ct);
        terminal.Error.WriteLine(Plain.Line($"This wipes all that the node '{node}' has: its identity, workloads, virtual machines and volumes. It cannot be undone."));
        terminal.Error.Write("Type the node's name to go on: ");
        terminal.Flush();
        var typed = (await terminal.In.ReadLineAsync(ct))?.Trim();
        return typed == node ? node : throw new CliException(ExitCodes.Usage, "that is not the node's name. Nothing was changed.");
    }

    private static async Task<string> NameAsync(Invocation invocation, CancellationToken ct)
    {
        var answer = await AgentQuestion.AskAsync(invocation, new OpenChannel { LocalSummary = new LocalSummaryQuery() }, invocation.GivenTimeout ?? Patience, ct);
        return AgentJson.Read(answer.Data, ContractsJson.Default.LocalSummary).Node ?? Environment.MachineName;
    }
}
