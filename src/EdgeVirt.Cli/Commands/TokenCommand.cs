using System.CommandLine;
using System.Text;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt token</c>: tokens of the hub's API.</summary>
internal static class TokenCommand
{
    private static readonly Argument<string> Name = new("name") { Description = "For whom or what the token is" };
    private static readonly Option<TimeSpan?> Lifetime = Durations.Option("--ttl", "How long it is valid; without it for ever");
    private static readonly Option<bool> ReadOnly = new("--read-only") { Description = "The token may look, not change" };
    private static readonly Option<string?> OutputFile = new("--output-file") { Description = "Write the token to this file (0600) instead of standard output", HelpName = "file" };

    public static Command Create(Terminal terminal)
    {
        var create = new Command("create", "Makes a token and prints it, once") { Name, Lifetime, ReadOnly, OutputFile };
        create.Does(terminal, CreateAsync);
        var list = new Command("list", "Shows which tokens there are, not the tokens themselves");
        list.Does(terminal, ListAsync);
        var delete = new Command("delete", "Ends a token at once") { Name };
        delete.Does(terminal, DeleteAsync);
        return new Command("token", "Tokens for the hub's API") { create, list, delete };
    }

    private static async Task<int> CreateAsync(Invocation invocation, CancellationToken ct)
    {
        using var hub = invocation.Connect();
        var request = new ApiTokenRequest(invocation.Get(Name), invocation.Get(Lifetime) is { } ttl ? invocation.Terminal.Now + ttl : null, invocation.Get(ReadOnly));
        var issued = await invocation.AskAsync(
            hub,
            "making the token",
            limit => hub.SendAsync(HttpMethod.Post, "/api/v1/tokens", request, CliJson.Default.ApiTokenRequest, CliJson.Default.ApiTokenIssued, limit),
            ct);
        var file = invocation.Get(OutputFile);
        if (file is not null)
        {
            PrivateFile.Write(file, Encoding.UTF8.GetBytes(issued.Token + "\n"));
        }
        else if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, issued, CliJson.Default.ApiTokenIssued);
        }
        else
        {
            invocation.Terminal.Out.WriteLine(issued.Token);
        }

        var until = issued.ExpiresAt is { } end ? $"until {Durations.Absolute(end)}" : "until it is deleted";
        invocation.Note($"Token '{request.Name}' is valid {until}. It is {(file is null ? "above, and not shown again" : $"in {file}")}.");
        return ExitCodes.Ok;
    }

    private static async Task<int> ListAsync(Invocation invocation, CancellationToken ct)
    {
        using var hub = invocation.Connect();
        var list = await invocation.AskAsync(hub, "reading tokens", limit => hub.GetAsync("/api/v1/tokens", CliJson.Default.ApiTokenList, limit), ct);
        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, list, CliJson.Default.ApiTokenList);
            return ExitCodes.Ok;
        }

        var now = invocation.Terminal.Now;
        var table = new TableView("NAME", "ACCESS", "EXPIRES", "AGE");
        foreach (var token in list.Items)
        {
            table.Add(
                token.Name,
                token.ReadOnly ? "read-only" : "full",
                token.ExpiresAt is not { } end ? "never" : end <= now ? new Cell($"{Durations.Format(now - end)} ago", Tone.Bad) : $"in {Durations.Format(end - now)}",
                Durations.Age(token.CreatedAt, now));
        }

        table.Write(invocation.Terminal);
        return ExitCodes.Ok;
    }

    private static async Task<int> DeleteAsync(Invocation invocation, CancellationToken ct)
    {
        using var hub = invocation.Connect();
        var name = invocation.Get(Name);
        if (!await invocation.AskAsync(hub, "deleting the token", limit => hub.DeleteAsync($"/api/v1/tokens/{Uri.EscapeDataString(name)}", limit), ct))
        {
            throw new CliException(ExitCodes.NotFound, $"there is no token '{name}'.", "'edgevirt token list' shows what there is.");
        }

        invocation.Say($"Token '{name}' deleted");
        return ExitCodes.Ok;
    }
}
