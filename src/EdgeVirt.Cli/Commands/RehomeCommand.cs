using System.CommandLine;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Local;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt rehome</c>: moves the node on this machine to another hub.</summary>
internal static class RehomeCommand
{
    // Three attempts at the hub, and the link before comes down.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private static readonly Option<string> Hub = new("--hub") { Description = "The other hub's node port, host:8444", HelpName = "host:port", Required = true };
    private static readonly Option<string> TokenFile = new("--token-file") { Description = "File that holds a claim token of that hub", HelpName = "file", Required = true };
    private static readonly Option<string?> NodeName = new("--name") { Description = "Name of the node there; without it the one that it has", HelpName = "name" };
    private static readonly Option<bool> Drop = new("--drop-workloads") { Description = "End what the hub before wanted at once, not only when the other hub has something for the node to run" };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("rehome", "Moves the node on this machine to another hub, without flashing it") { Hub, TokenFile, NodeName, Drop, LocalAgent.Socket };
        command.Does(terminal, RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        var hub = invocation.Get(Hub)!;
        if (hub.Contains('/', StringComparison.Ordinal) || !hub.Contains(':', StringComparison.Ordinal))
        {
            throw new CliException(ExitCodes.Usage, $"'{hub}' is no host:port.", "Write the hub's name and node port, such as hub.example:8444.");
        }

        if (invocation.Get(NodeName) is { } name && ResourceName.Problem(name) is { } problem)
        {
            throw new CliException(ExitCodes.Usage, $"'{name}' is no node name: it {problem}.", "Choose another --name.");
        }

        var token = await ReadTokenAsync(invocation.Get(TokenFile)!, invocation.Terminal, ct);
        var command = new Contracts.Protos.RehomeCommand
        {
            HubAddress = hub, ClaimToken = token.Reveal(), NodeName = invocation.Get(NodeName) ?? "", DropWorkloads = invocation.Get(Drop),
        };
        var answer = await invocation.Progress.WhileAsync(
            () => $"moving to {hub}",
            limit => AgentQuestion.AskAsync(invocation, new OpenChannel { Rehome = command }, invocation.GivenTimeout ?? Patience, limit),
            ct);
        invocation.Say(answer.Words);
        invocation.Note("At the hub before, the node is offline now; 'edgevirt delete node' there forgets it.");
        return ExitCodes.Ok;
    }

    /// <summary>A claim token out of a file.</summary>
    /// <exception cref="CliException">There is none in it.</exception>
    internal static async Task<ClaimToken> ReadTokenAsync(string file, Terminal terminal, CancellationToken ct)
    {
        var text = await PrivateFile.ReadTokenAsync(file, fromInput: false, terminal.In, ct);
        return ClaimToken.TryParse(text, out var token)
            ? token
            : throw new CliException(ExitCodes.Invalid, "that is no claim token.", "A claim token begins with 'evc1.'; 'edgevirt node claim create' makes one. It may have been cut when it was copied.");
    }
}
