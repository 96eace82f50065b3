using EdgeVirt.Cli.Commands;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Boards;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Flash.Cards;

/// <summary>What is written on one card.</summary>
/// <param name="Number">The card's number, as in <c>{n}</c>.</param>
/// <param name="Settings">All of its settings, with the claim token.</param>
/// <param name="Claim">Name of the claim that its board uses; null: none.</param>
internal sealed record Card(int Number, BoardSettings Settings, string? Claim);

/// <summary>
/// What is written on the cards of one run. All that can be checked before a card is touched is checked in <see cref="ReadAsync"/>; a token is taken by
/// <see cref="IssueAsync"/> alone, once its card is about to be written.
/// </summary>
internal sealed class CardPlan : IDisposable
{
    private static readonly string LongestToken = ClaimToken.Create(new string('x', ResourceName.MaxLength), []).Reveal();
    private readonly BoardSettings template;
    private readonly ICardTokens tokens;

    private CardPlan(BoardSettings template, ICardTokens tokens, int first)
    {
        this.template = template;
        this.tokens = tokens;
        First = first;
    }

    /// <summary>Number of the first card.</summary>
    public int First { get; }

    /// <summary>Whether cards get a claim token.</summary>
    public bool HasTokens => tokens is not NoTokens;

    /// <summary>Reads the options of a command.</summary>
    /// <param name="invocation">The command.</param>
    /// <param name="count">How many cards will be written.</param>
    /// <param name="ct">Ends it.</param>
    /// <exception cref="CliException">Something is missing, wrong, or not enough for so many cards.</exception>
    public static async Task<CardPlan> ReadAsync(Invocation invocation, int count, CancellationToken ct)
    {
        var first = invocation.Get(CardOptions.FirstCard);
        if (first is < 0 or > 999_999)
        {
            throw new CliException(ExitCodes.Usage, $"--first-card {first} cannot be.", "Give a number from 0 to 999999.");
        }

        var template = await new CardSettingsReader(invocation).ReadAsync(ct);
        var tokens = CardTokens.Open(invocation, template.ClaimToken, count);
        var plan = new CardPlan(template with { Hub = template.Hub ?? tokens.Hub }, tokens, first);
        try
        {
            plan.Check(count);
        }
        catch
        {
            plan.Dispose();
            throw;
        }

        return plan;
    }

    /// <summary>Settings of a card, without the token that it will get from a batch or the hub.</summary>
    /// <param name="card">Its number, <see cref="First"/> or above.</param>
    public BoardSettings For(int card) => template with
    {
        NodeName = CardNumber.Put(template.NodeName, card),
        Ethernet = template.Ethernet is null ? null : [.. template.Ethernet.Select(one => one with { Addresses = [.. one.Addresses.Select(address => CardNumber.Put(address, card)!)] })],
    };

    /// <summary>Takes a token for a card. From here on the token counts as used, whatever becomes of the card.</summary>
    /// <exception cref="CliException">There is none left, or the hub did not make one; the card must not be written.</exception>
    public async Task<Card> IssueAsync(int card, CancellationToken ct)
    {
        var settings = For(card);
        var token = await tokens.TakeAsync(settings.NodeName ?? $"card {card}", ct);
        settings = settings with { ClaimToken = token?.Token };
        return new Card(card, settings, token?.Claim);
    }

    public void Dispose() => tokens.Dispose();

    private void Check(int count)
    {
        if (count > 1 && template.NodeName is not null && !CardNumber.IsIn(template.NodeName))
        {
            throw new CliException(ExitCodes.Usage, $"{count} cards cannot all be '{template.NodeName}'.", $"Write {{n}} into --node-name, such as {template.NodeName}-{{n}}.");
        }

        if (count > 1 && (template.Ethernet ?? []).SelectMany(one => one.Addresses).FirstOrDefault(address => !CardNumber.IsIn(address)) is { } shared)
        {
            throw new CliException(ExitCodes.Usage, $"{count} cards cannot all have the address {shared}.", "Write {n} into --address, such as 192.168.7.{n}/24, or flash the cards one by one.");
        }

        if (HasTokens && template.Hub is null)
        {
            throw new CliException(ExitCodes.Usage, "which hub is the claim token for?", "Give --hub host:8444.");
        }

        for (var card = First; card < First + count; card++)
        {
            var v = new Validation();
            BoardSettingsValidation.Validate(HasTokens ? For(card) with { ClaimToken = LongestToken } : For(card), v);
            if (!v.IsValid)
            {
                throw Invalid(card, count, v.Errors);
            }
        }
    }

    private static CliException Invalid(int card, int count, IReadOnlyList<FieldError> errors) => new(
        ExitCodes.Invalid,
        $"the settings{(count > 1 ? $" of card {card}" : "")} are not valid: {string.Join("; ", errors.Select(error => $"{error.Field} {error.Reason}".Trim()))}",
        "Nothing was written. Change the options, or the file of --settings.");
}
