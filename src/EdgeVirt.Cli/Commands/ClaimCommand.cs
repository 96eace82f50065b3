using System.CommandLine;
using System.Text;
using EdgeVirt.Cli.Flash.Cards;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Commands;

/// <summary>A claim token for programs.</summary>
internal sealed record ClaimTokenOutput(string Claim, string? Token, string? TokenFile, DateTimeOffset ExpiresAt);

/// <summary><c>edgevirt node claim create</c>: the one place where a claim token is shown.</summary>
internal static class ClaimCommand
{
    private static readonly Argument<string> Name = new("name") { Description = "Name of the claim" };
    private static readonly Option<int> Uses = new("--uses") { Description = "How many boards may use it", HelpName = "n", DefaultValueFactory = _ => 1 };
    private static readonly Option<TimeSpan?> Lifetime = Durations.Option("--ttl", "How long it can be used (24h)");
    private static readonly Option<string[]> NodeLabels = new("--label") { Description = "Label that the nodes get; may be given more than once", HelpName = "key=value" };
    private static readonly Option<int?> Count = new("--count") { Description = "Makes so many claims, NAME-1, NAME-2 …, each for one board, and writes their tokens into one file for 'edgevirt flash --tokens'", HelpName = "n" };
    private static readonly Option<string?> HubPort = new("--hub") { Description = "The hub's node port for the boards of a batch; without it the hub's name and port 8444", HelpName = "host:port" };
    private static readonly Option<string?> OutputFile = new("--output-file") { Description = "Write the token to this file (0600) instead of standard output", HelpName = "file" };

    public static Command Create(Terminal terminal)
    {
        var create = new Command("create", "Makes a claim and prints its token, which is not shown again") { Name, Uses, Lifetime, NodeLabels, OutputFile, Count, HubPort };
        create.Does(terminal, RunAsync);
        return new Command("claim", "Leave for boards to become nodes") { create };
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        var name = invocation.Get(Name);
        if (ResourceName.Problem(name) is { } problem)
        {
            throw new CliException(ExitCodes.Usage, $"'{name}' is no name: it {problem}.", "Choose another name.");
        }

        var spec = new BoardClaimSpec
        {
            MaxUses = invocation.Get(Uses),
            ExpiresAt = invocation.Get(Lifetime) is { } ttl ? invocation.Terminal.Now + ttl : null,
            NodeLabels = ParseLabels(invocation.Get(NodeLabels) ?? []),
        };
        if (invocation.Get(Count) is { } count)
        {
            return await ClaimBatch.CreateAsync(invocation, new ClaimBatchRequest(name, count, spec, invocation.Get(HubPort), invocation.Get(OutputFile)), ct);
        }

        if (invocation.Get(HubPort) is not null)
        {
            throw new CliException(ExitCodes.Usage, "--hub is for batches.", "Give --count with it.");
        }

        using var hub = invocation.Connect();
        var path = HubPaths.Of(ResourceKind.BoardClaim, name);
        var issued = await invocation.AskAsync(hub, "making the claim", async limit =>
        {
            await RefuseTakenAsync(hub, path, name, limit);
            return await ClaimIssuer.IssueAsync(hub, name, spec, limit);
        }, ct);

        var file = invocation.Get(OutputFile);
        if (file is not null)
        {
            PrivateFile.Write(file, Encoding.UTF8.GetBytes(issued.Token + "\n"));
        }

        if (invocation.Format != OutputFormat.Table)
        {
            var output = new ClaimTokenOutput(name, file is null ? issued.Token : null, file, issued.ExpiresAt);
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, output, CliJson.Default.ClaimTokenOutput);
        }
        else if (file is null)
        {
            invocation.Terminal.Out.WriteLine(issued.Token);
        }

        var uses = spec.MaxUses == 1 ? "once" : $"{spec.MaxUses} times";
        invocation.Note($"Claim '{name}' can be used {uses}, until {Durations.Absolute(issued.ExpiresAt)}. Its token is {(file is null ? "above, and not shown again" : $"in {file}")}.");
        invocation.Note($"On the board: edgevirt node enroll --hub {hub.Server.Host}:8444 --token-file {file ?? "FILE"}");
        return ExitCodes.Ok;
    }

    private static async Task RefuseTakenAsync(HubApi hub, string path, string name, CancellationToken ct)
    {
        try
        {
            await hub.GetAsync(path, ContractsJson.Default.Resource, ct);
        }
        catch (CliException fault) when (fault.ExitCode == ExitCodes.NotFound)
        {
            return;
        }

        throw new CliException(ExitCodes.Conflict, $"there is a claim '{name}' already.", $"Choose another name, or 'edgevirt delete boardclaim {name}' first: its token ends with it.");
    }

    private static Dictionary<string, string>? ParseLabels(string[] words)
    {
        var labels = new Dictionary<string, string>();
        foreach (var word in words)
        {
            var cut = word.IndexOf('=', StringComparison.Ordinal);
            if (cut <= 0)
            {
                throw new CliException(ExitCodes.Usage, $"'{word}' is no label.", "Write --label key=value.");
            }

            labels[word[..cut]] = word[(cut + 1)..];
        }

        return labels.Count == 0 ? null : labels;
    }
}
