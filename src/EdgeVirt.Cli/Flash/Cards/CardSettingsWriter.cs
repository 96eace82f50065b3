using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Boards;

namespace EdgeVirt.Cli.Flash.Cards;

/// <summary>Puts on each card what its board alone is told, with a claim token of its own, reads it back, and makes its label.</summary>
/// <param name="plan">What is written.</param>
/// <param name="labels">Where labels go; null: none are made.</param>
/// <param name="image">The image on the cards, for labels.</param>
/// <param name="terminal">Where this runs.</param>
/// <param name="ct">Ends it.</param>
internal sealed class CardSettingsWriter(CardPlan plan, LabelPrinter? labels, ImageManifest? image, Terminal terminal, CancellationToken ct) : ICardWriter
{
    private readonly Lock gate = new();

    /// <inheritdoc/>
    public void Write(Stream card, int index)
    {
        var file = SettingsFile.Find(card, card.Length);

        // Cards are written side by side; tokens and labels are taken one after the other.
        lock (gate)
        {
            var issued = Issue(plan.First + index);
            var content = BoardSettingsFile.Write(issued.Settings);
            file.Write(card, content);
            if (!file.Read(card).AsSpan().SequenceEqual(content))
            {
                throw new IOException("what was read back of the settings is not what was written");
            }

            labels?.Print(issued, CardLabel.Of(issued, image?.Board ?? "unknown", image?.Version ?? "unknown", terminal.Now), terminal);
        }
    }

    private Card Issue(int number)
    {
        try
        {
            var card = plan.IssueAsync(number, ct).GetAwaiter().GetResult();
            return card with { Settings = card.Settings with { FlashedAt = terminal.Now } };
        }
        catch (CliException fault)
        {
            throw new IOException($"{fault.Message.TrimEnd('.')}. {fault.Hint}", fault);
        }
    }
}
