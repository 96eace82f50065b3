using System.Globalization;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>
/// What one image may cost on the link. Every byte of a layer counts that came, also those that come again after a cut, and
/// those of earlier attempts at the same image.
/// </summary>
internal sealed class PullBudget(long? maxBytes)
{
    private long _before;
    private long _spent;

    /// <summary>Bytes of all attempts.</summary>
    public long SpentBytes => Interlocked.Read(ref _before) + Interlocked.Read(ref _spent);

    /// <summary>Bytes of this attempt.</summary>
    public long FetchedBytes => Interlocked.Read(ref _spent);

    public bool IsLimited => maxBytes is not null;

    /// <summary>Told what earlier attempts have cost and what is missing, before the first byte of a layer.</summary>
    /// <exception cref="ImagePullException">It would cost more than allowed.</exception>
    public void Begin(long spentBefore, long missingBytes)
    {
        Interlocked.Exchange(ref _before, spentBefore);
        Check(missingBytes);
    }

    /// <summary>Told what is still to come.</summary>
    /// <exception cref="ImagePullException">With what came already it would be more than allowed.</exception>
    public void Check(long missingBytes)
    {
        if (maxBytes is { } most && missingBytes > 0 && SpentBytes + missingBytes > most)
        {
            var spent = SpentBytes == 0 ? "" : Interlocked.Read(ref _before) > 0 ? $" and earlier attempts cost {Text(SpentBytes)}" : $" and {Text(SpentBytes)} came already";
            throw Exceeded($"{Text(missingBytes)} of layers are not on this node{spent}, imagePull.maxBytes allows {Text(most)}");
        }
    }

    /// <summary>So many bytes of a layer came.</summary>
    /// <exception cref="ImagePullException">These are more than allowed.</exception>
    public void Spend(int bytes)
    {
        Interlocked.Add(ref _spent, bytes);
        if (maxBytes is { } most && SpentBytes > most)
        {
            throw Exceeded($"the link was cut so often that {Text(SpentBytes)} came, imagePull.maxBytes allows {Text(most)}");
        }
    }

    private static ImagePullException Exceeded(string figures) =>
        new($"Pull refused: {figures}. Raise it, or bring the image to the board by 'edgevirt image import'.") { IsLocal = true, IsOverBudget = true };

    private static string Text(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:F2} MiB ({bytes} bytes)");
}
