using EdgeVirt.Cli.Commands;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Contracts;

namespace EdgeVirt.Cli.Flash.Cards;

/// <summary>A claim token for one card.</summary>
internal sealed record CardToken(string Claim, string Token, DateTimeOffset? ExpiresAt);

/// <summary>Where cards get their claim tokens.</summary>
internal interface ICardTokens : IDisposable
{
    /// <summary>host:port of the hub that they are for, where that is known.</summary>
    string? Hub { get; }

    /// <summary>The next one, which nobody else gets; null: cards get none.</summary>
    /// <param name="whom">The node or card, for the records.</param>
    /// <exception cref="CliException">There is none.</exception>
    Task<CardToken?> TakeAsync(string whom, CancellationToken ct);
}

/// <summary>Chooses among the sources of tokens.</summary>
internal static class CardTokens
{
    /// <param name="invocation">The command.</param>
    /// <param name="given">A token from a file, where one was given.</param>
    /// <param name="count">How many cards will want one.</param>
    public static ICardTokens Open(Invocation invocation, string? given, int count)
    {
        var (batch, file, none) = (invocation.Get(CardOptions.Tokens), invocation.Get(CardOptions.ClaimTokenFile), invocation.Get(CardOptions.NoClaim));
        if ((batch is null ? 0 : 1) + (file is null ? 0 : 1) + (none ? 1 : 0) > 1)
        {
            throw new CliException(ExitCodes.Usage, "where are the claim tokens?", "Give one of --tokens FILE, --claim-token-file FILE and --no-claim.");
        }

        if (batch is not null)
        {
            var tokens = new TokenBatch(batch, invocation.Terminal.Time);
            tokens.Require(count);
            return tokens;
        }

        if (given is not null)
        {
            return ClaimToken.TryParse(given, out var token)
                ? new SameToken(new CardToken(token.Claim, token.Reveal(), null))
                : throw new CliException(ExitCodes.Invalid, "that is no claim token.", "A claim token begins with 'evc1.'; 'edgevirt node claim create' makes one. It may have been cut when it was copied.");
        }

        return !none && HubTarget.Find(invocation.Terminal, invocation.Server, invocation.ContextName) is { Token: not null }
            ? new MintedTokens(invocation)
            : new NoTokens();
    }
}

/// <summary>Boards that will be told by hand.</summary>
internal sealed class NoTokens : ICardTokens
{
    public string? Hub => null;

    public Task<CardToken?> TakeAsync(string whom, CancellationToken ct) => Task.FromResult<CardToken?>(null);

    public void Dispose()
    {
    }
}

/// <summary>One token for all cards: its claim says how often it can be used.</summary>
internal sealed class SameToken(CardToken token) : ICardTokens
{
    public string? Hub => null;

    public Task<CardToken?> TakeAsync(string whom, CancellationToken ct) => Task.FromResult<CardToken?>(token);

    public void Dispose()
    {
    }
}

/// <summary>A claim of its own for each card, made at the hub when the card is due.</summary>
internal sealed class MintedTokens(Invocation invocation) : ICardTokens
{
    private readonly HubApi hub = invocation.Connect();

    public string? Hub => ClaimIssuer.NodePortOf(hub);

    public async Task<CardToken?> TakeAsync(string whom, CancellationToken ct)
    {
        var claim = ClaimIssuer.NameFor(whom);
        var expiresAt = invocation.Get(CardOptions.ClaimLifetime) is { } ttl ? invocation.Terminal.Now + ttl : (DateTimeOffset?)null;
        var issued = await invocation.AskAsync(
            hub, $"making a claim for {whom}", limit => ClaimIssuer.IssueAsync(hub, claim, new Contracts.Resources.BoardClaimSpec { MaxUses = 1, ExpiresAt = expiresAt }, limit), ct);
        return new CardToken(claim, issued.Token, issued.ExpiresAt);
    }

    public void Dispose() => hub.Dispose();
}
