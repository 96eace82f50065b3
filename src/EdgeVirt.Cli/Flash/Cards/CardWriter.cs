using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Boards;

namespace EdgeVirt.Cli.Flash.Cards;

/// <summary>
/// Writes each card's settings on an image that lies on it already, and reads them back. The layout is looked at before a token is taken, so that a foreign image costs
/// none. Cards are written several at a time.
/// </summary>
/// <param name="plan">What is written.</param>
/// <param name="ct">Ends waiting for a token.</param>
internal sealed class CardWriter(CardPlan plan, CancellationToken ct) : ICardWriter
{
    private readonly Lock gate = new();
    private readonly SortedDictionary<int, Card> written = [];

    /// <summary>The cards whose settings were written and read back, by their place on the command line.</summary>
    public IReadOnlyDictionary<int, Card> Written
    {
        get
        {
            lock (gate)
            {
                return new SortedDictionary<int, Card>(written);
            }
        }
    }

    /// <summary>Writes one card's settings. To be called on a thread that may wait: a token may come from the hub.</summary>
    /// <param name="card">The whole card; seeks, and its length is the card's.</param>
    /// <param name="index">Its place on the command line, from 0.</param>
    /// <exception cref="IOException">The image is a foreign one, there is no token, or the card holds something else than was written.</exception>
    public void Write(Stream card, int index)
    {
        var file = SettingsFile.Find(card, card.Length);
        var issued = Issue(plan.First + index);
        var content = BoardSettingsFile.Write(issued.Settings);
        file.Write(card, content);
        if (!SettingsFile.Find(card, card.Length).Read(card).AsSpan().SequenceEqual(content))
        {
            throw new IOException("the settings that were read back are not those that were written");
        }

        lock (gate)
        {
            written[index] = issued;
        }
    }

    private Card Issue(int number)
    {
        try
        {
            return plan.IssueAsync(number, ct).GetAwaiter().GetResult();
        }
        catch (CliException fault)
        {
            throw new IOException(Plain.Line($"{fault.Message} {fault.Hint}".TrimEnd()), fault);
        }
    }
}
