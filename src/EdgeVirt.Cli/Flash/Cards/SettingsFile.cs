using EdgeVirt.Contracts.Boards;

namespace EdgeVirt.Cli.Flash.Cards;

/// <summary>
/// The file of settings on a card or in an image: <c>edgevirt/settings.json</c> on the first partition. It has
/// <see cref="BoardSettings.FileBytes"/> bytes in every image, so it is overwritten where it lies, and nothing else of the file system changes. The file may
/// lie in pieces.
/// </summary>
internal sealed class SettingsFile
{
    private SettingsFile(IReadOnlyList<CardRange> ranges) => Ranges = ranges;

    /// <summary>Where the file lies, in order; together <see cref="BoardSettings.FileBytes"/>. All that <see cref="Write"/> changes.</summary>
    public IReadOnlyList<CardRange> Ranges { get; }

    /// <summary>Finds the file; writes nothing.</summary>
    /// <param name="card">The whole card or image, which can be read at any place.</param>
    /// <param name="cardBytes">Its size; a block device's stream does not know it.</param>
    /// <exception cref="CardLayoutException">The card is laid out otherwise, or what describes its layout is damaged.</exception>
    public static SettingsFile Find(Stream card, long cardBytes)
    {
        var volume = new FatVolume(card, CardPartition.First(card, cardBytes));
        var directory = FatDirectory.Find(volume.ReadRoot(), BoardSettings.DirectoryName);
        if (directory is not { IsDirectory: true })
        {
            throw Missing($"there is no directory '{BoardSettings.DirectoryName}'");
        }

        var directoryChain = volume.Chain(directory.FirstCluster, $"the directory '{BoardSettings.DirectoryName}'", atMost: 4096);
        var file = FatDirectory.Find(volume.Read(directoryChain), BoardSettings.FileName);
        if (file is not { IsDirectory: false })
        {
            throw Missing($"there is no file '{BoardSettings.DirectoryName}/{BoardSettings.FileName}'");
        }

        if (file.Bytes != BoardSettings.FileBytes)
        {
            throw new CardLayoutException($"its file '{BoardSettings.DirectoryName}/{BoardSettings.FileName}' has {file.Bytes} bytes; in an image it has {BoardSettings.FileBytes}");
        }

        var needed = (BoardSettings.FileBytes + volume.ClusterBytes - 1) / volume.ClusterBytes;
        var chain = volume.Chain(file.FirstCluster, $"the file '{BoardSettings.FileName}'", atMost: needed);
        if (chain.Count != needed)
        {
            throw FatVolume.Foreign($"the file '{BoardSettings.FileName}' has {chain.Count} clusters and needs {needed}");
        }

        if (chain.Intersect(directoryChain).Union(chain.Intersect(volume.RootChain)).Any())
        {
            throw FatVolume.Foreign($"the file '{BoardSettings.FileName}' lies where a directory lies");
        }

        return new SettingsFile(RangesOf(chain, volume));
    }

    /// <summary>All bytes of the file.</summary>
    /// <exception cref="IOException">The card cannot be read.</exception>
    public byte[] Read(Stream card)
    {
        var content = new byte[BoardSettings.FileBytes];
        var done = 0;
        foreach (var range in Ranges)
        {
            card.Position = range.Offset;
            card.ReadExactly(content, done, range.Length);
            done += range.Length;
        }

        return content;
    }

    /// <summary>Overwrites the file. To be read back once the card's cache is out of the way.</summary>
    /// <param name="card">The card that it was found on.</param>
    /// <param name="content"><see cref="BoardSettings.FileBytes"/> bytes, from <see cref="BoardSettingsFile.Write"/>.</param>
    /// <exception cref="IOException">The card cannot be written.</exception>
    public void Write(Stream card, ReadOnlySpan<byte> content)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(content.Length, BoardSettings.FileBytes);
        foreach (var range in Ranges)
        {
            card.Position = range.Offset;
            card.Write(content[..range.Length]);
            content = content[range.Length..];
        }

        card.Flush();
    }

    /// <summary>Clusters that lie side by side become one range; the last one is cut where the file ends.</summary>
    private static List<CardRange> RangesOf(IReadOnlyList<uint> chain, FatVolume volume)
    {
        var ranges = new List<CardRange>();
        var left = BoardSettings.FileBytes;
        foreach (var cluster in chain)
        {
            var (offset, length) = (volume.CardOffsetOf(cluster), Math.Min(volume.ClusterBytes, left));
            left -= length;
            if (ranges is [.., var last] && last.Offset + last.Length == offset)
            {
                ranges[^1] = last with { Length = last.Length + length };
            }
            else
            {
                ranges.Add(new CardRange(offset, length));
            }
        }

        return ranges;
    }

    private static CardLayoutException Missing(string what) =>
        new($"its first partition has no place for settings: {what}. Only images of EdgeVirt's node OS have one");
}
