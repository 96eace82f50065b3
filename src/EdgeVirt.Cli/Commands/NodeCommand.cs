using System.CommandLine;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Local;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt node</c>: from a board to a node, and how the node on this machine fares.</summary>
internal static class NodeCommand
{
    private static readonly Option<string> Hub = new("--hub") { Description = "The hub's node port, host:8444", HelpName = "host:port", Required = true };
    private static readonly Option<string?> TokenFile = new("--token-file") { Description = "File that holds the claim token", HelpName = "file" };
    private static readonly Option<bool> TokenStdin = new("--token-stdin") { Description = "Read the claim token from standard input" };
    private static readonly Option<string?> NodeName = new("--name") { Description = "Name of the node; without it the hub makes one", HelpName = "name" };

    public static Command Create(Terminal terminal)
    {
        var enroll = new Command("enroll", "Makes the board on which this runs a node of a hub") { Hub, TokenFile, TokenStdin, NodeName, LocalAgent.Socket };
        enroll.Does(terminal, EnrollAsync);
        var status = new Command("status", "Shows what the agent on this machine says about itself") { LocalAgent.Socket };
        status.Does(terminal, StatusAsync);
        return new Command("node", "Makes boards into nodes, and asks the node on this machine") { ClaimCommand.Create(terminal), enroll, status };
    }

    private static async Task<int> EnrollAsync(Invocation invocation, CancellationToken ct)
    {
        var fromInput = invocation.Get(TokenStdin);
        var file = invocation.Get(TokenFile);
        if (fromInput == file is not null)
        {
            throw new CliException(ExitCodes.Usage, "where is the claim token?", "Give one of --token-file FILE and --token-stdin; 'edgevirt node claim create' makes one.");
        }

        var hub = invocation.Get(Hub)!;
        if (hub.Contains('/', StringComparison.Ordinal) || !hub.Contains(':', StringComparison.Ordinal))
        {
            throw new CliException(ExitCodes.Usage, $"'{hub}' is no host:port.", "Write the hub's name and node port, such as hub.example:8444.");
        }

        if (invocation.Get(NodeName) is { } name && ResourceName.Problem(name) is { } problem)
        {
            throw new CliException(ExitCodes.Usage, $"'{name}' is no node name: it {problem}.", "Choose another --name.");
        }

        var text = await PrivateFile.ReadTokenAsync(file, fromInput, invocation.Terminal.In, ct);
        if (!ClaimToken.TryParse(text, out var token))
        {
            throw new CliException(ExitCodes.Invalid, "that is no claim token.", "A claim token begins with 'evc1.'; 'edgevirt node claim create' makes one. It may have been cut when it was copied.");
        }

        var command = new EnrollCommand { HubAddress = hub, ClaimToken = token.Reveal(), NodeName = invocation.Get(NodeName) ?? "" };
        await invocation.Progress.WhileAsync(() => $"enrolling at {hub}", limit => CallAsync(invocation, new OpenChannel { Enroll = command }, limit), ct);
        invocation.Say($"Enrolled at {hub}. 'edgevirt node status' shows the node.");
        return ExitCodes.Ok;
    }

    private static async Task<int> StatusAsync(Invocation invocation, CancellationToken ct)
    {
        var bytes = await invocation.Progress.WhileAsync(
            () => "asking the agent", limit => CallAsync(invocation, new OpenChannel { Status = new StatusQuery() }, limit), ct);
        var status = AgentJson.Read(bytes, ContractsJson.Default.NodeStatus);
        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, status, ContractsJson.Default.NodeStatus);
            return ExitCodes.Ok;
        }

        NodeDescription.Write(new Description(invocation.Terminal), status);
        return ExitCodes.Ok;
    }

    /// <summary>One question to the agent, with --timeout around it; all data of the answer.</summary>
    internal static async Task<byte[]> CallAsync(Invocation invocation, OpenChannel open, CancellationToken ct, TimeSpan? patience = null) =>
        // Enrolling makes the agent talk to a hub that may be slow.
        (await AgentQuestion.AskAsync(invocation, open, invocation.GivenTimeout ?? patience ?? TimeSpan.FromMinutes(1), ct)).Data;
}
