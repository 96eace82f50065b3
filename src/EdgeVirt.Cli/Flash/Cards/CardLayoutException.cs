namespace EdgeVirt.Cli.Flash.Cards;

/// <summary>A card or image is not laid out as images of EdgeVirt are, or what describes its layout is damaged. Nothing was written.</summary>
internal sealed class CardLayoutException(string message) : IOException(message);

/// <summary>Bytes on a card.</summary>
/// <param name="Offset">From the card's beginning.</param>
/// <param name="Length">More than 0.</param>
internal readonly record struct CardRange(long Offset, int Length);
