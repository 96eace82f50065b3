using EdgeVirt.Cli.Flash.Cards;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Boards;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Commands;

/// <summary>What a batch is to be: claims <c>Name-1</c> to <c>Name-Count</c>.</summary>
internal sealed record ClaimBatchRequest(string Name, int Count, BoardClaimSpec Spec, string? HubPort, string? File);

/// <summary>A batch of claim tokens for programs, without the tokens.</summary>
internal sealed record ClaimBatchOutput(string File, string Hub, IReadOnlyList<string> Claims, DateTimeOffset ExpiresAt);

/// <summary><c>edgevirt node claim create NAME --count N</c>: claims for one board each, their tokens in one file that works without the hub.</summary>
internal static class ClaimBatch
{
    private const int MaxCount = 1000;

    public static async Task<int> CreateAsync(Invocation invocation, ClaimBatchRequest request, CancellationToken ct)
    {
        Check(request);
        using var hub = invocation.Connect();
        var names = Enumerable.Range(1, request.Count).Select(n => $"{request.Name}-{n}").ToList();
        await invocation.AskAsync(hub, "looking for claims of these names", async limit => await RefuseTakenAsync(hub, names, limit), ct);

        var tokens = new List<BatchToken>();
        var content = new TokenBatchContent(request.HubPort ?? ClaimIssuer.NodePortOf(hub), invocation.Terminal.Now, tokens);
        try
        {
            foreach (var name in names)
            {
                var issued = await invocation.AskAsync(hub, $"making claim {tokens.Count + 1} of {names.Count}", limit => ClaimIssuer.IssueAsync(hub, name, request.Spec, limit), ct);
                tokens.Add(new BatchToken(name, issued.Token, issued.ExpiresAt));
            }
        }
        catch when (tokens.Count > 0)
        {
            // These tokens are not shown again.
            TokenBatch.Create(request.File!, content);
            invocation.Note($"{tokens.Count} of {names.Count} claims were made before this failed; their tokens are in {request.File}.");
            throw;
        }

        TokenBatch.Create(request.File!, content);
        var end = tokens.Min(token => token.ExpiresAt);
        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, new ClaimBatchOutput(request.File!, content.Hub, names, end), CliJson.Default.ClaimBatchOutput);
        }

        invocation.Note($"{request.Count} claims, {names[0]} to {names[^1]}, can be used once each until {Durations.Absolute(end)}. Their tokens are in {request.File}, and not shown again.");
        invocation.Note($"To write cards: edgevirt flash IMAGE --to DISK --tokens {request.File}");
        return ExitCodes.Ok;
    }

    private static void Check(ClaimBatchRequest request)
    {
        if (request.Count is < 1 or > MaxCount)
        {
            throw new CliException(ExitCodes.Usage, $"--count {request.Count} cannot be.", $"Give a number from 1 to {MaxCount}.");
        }

        if (request.Spec.MaxUses != 1)
        {
            throw new CliException(ExitCodes.Usage, "--uses and --count exclude each other.", "Each claim of a batch is for one board.");
        }

        if (request.File is null)
        {
            throw new CliException(ExitCodes.Usage, "where shall the tokens go?", "Give --output-file FILE with --count.");
        }

        if (ResourceName.Problem($"{request.Name}-{request.Count}") is { } problem)
        {
            throw new CliException(ExitCodes.Usage, $"'{request.Name}-{request.Count}' is no name: it {problem}.", "Choose a shorter name.");
        }

        if (request.HubPort is { } port && !BoardSettingsValidation.IsHostAndPort(port))
        {
            throw new CliException(ExitCodes.Usage, $"'{port}' is no host:port.", "Write the hub's name and node port, such as hub.example:8444.");
        }

        TokenBatch.RefuseTaken(request.File);
    }

    private static async Task<bool> RefuseTakenAsync(HubApi hub, List<string> names, CancellationToken ct)
    {
        var list = await hub.GetAsync(HubPaths.Of(ResourceKind.BoardClaim), ContractsJson.Default.ResourceList, ct);
        if (list.Items.Select(claim => claim.Metadata.Name).FirstOrDefault(names.Contains) is { } taken)
        {
            throw new CliException(ExitCodes.Conflict, $"there is a claim '{taken}' already.", "Choose another name for the batch.");
        }

        return true;
    }
}
