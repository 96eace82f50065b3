using System.Globalization;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>Room for a pull: images that nobody needs go for it, the oldest first and no more of them than it wants.</summary>
internal sealed partial class ImageStore
{
    private const int NamedInMessage = 3;

    /// <summary>Chain ids of pulls that failed midway, by reference: their layers are not fetched again.</summary>
    private readonly Dictionary<string, IReadOnlyList<string>> _unfinished = [];

    private Func<CancellationToken, Task<ImagesInUse>>? _whoNeeds;

    /// <inheritdoc/>
    public void MakeRoomBy(Func<CancellationToken, Task<ImagesInUse>> needed) => _whoNeeds = needed;

    /// <summary>Pulls again each time that room was made, which ends when there is no more of it to be had.</summary>
    private async Task<T> WithRoomAsync<T>(ImageReference? reference, Func<Task<T>> pull, CancellationToken ct)
    {
        while (true)
        {
            try
            {
                return await pull();
            }
            catch (ImagePullException full) when (full.RoomWanted is { } wanted)
            {
                var needed = _whoNeeds is { } whoNeeds ? await whoNeeds(ct) : null;
                if (needed is null || !MakeRoom(needed, reference, wanted, ct))
                {
                    throw WithFigures(full, wanted, needed);
                }
            }
        }
    }

    private bool MakeRoom(ImagesInUse needed, ImageReference? reference, long wanted, CancellationToken ct)
    {
        long freed;
        lock (_files)
        {
            freed = Garbage().MakeRoom(needed, Pinned(needed, reference), _time.GetUtcNow(), wanted + _options.Limits.MinFreeBytes, ct);
        }

        if (freed > 0)
        {
            var pulled = reference?.ToString() ?? "an import";
            LogMadeRoom(_logger, pulled, freed >> 20);
        }

        return freed > 0;
    }

    /// <summary>Layers of the pull under way, and of those that are to go on. Forgets the others.</summary>
    private HashSet<string> Pinned(ImagesInUse inUse, ImageReference? pulled = null)
    {
        foreach (var given in _unfinished.Keys.Where(name => !inUse.References.Contains(name) && name != NameOf(pulled)).ToList())
        {
            _unfinished.Remove(given);
        }

        return [.. _pinned, .. _unfinished.Values.SelectMany(chain => chain)];
    }

    private void SetUnfinished(ImageReference reference, IReadOnlyList<string>? chain)
    {
        lock (_files)
        {
            if (chain is null)
            {
                _unfinished.Remove(NameOf(reference)!);
            }
            else
            {
                _unfinished[NameOf(reference)!] = chain;
            }
        }
    }

    /// <summary>As workloads name it, also where a set goes back to the content that the name stood for.</summary>
    private static string? NameOf(ImageReference? reference) => (reference is { Tag: not null } ? reference with { Digest = null } : reference)?.ToString();

    private ImageGarbage Garbage() => new(_blobs, _references, _layers, _options.Garbage, () => _options.MeasureDisk(_options.ImagesDirectory));

    /// <summary>The same failure, with how much is missing and what holds the disk.</summary>
    private ImagePullException WithFigures(ImagePullException full, long wanted, ImagesInUse? needed)
    {
        var disk = _options.MeasureDisk(_options.ImagesDirectory);
        var floor = _options.Limits.MinFreeBytes;
        var list = List(Enumerable.Empty<string>().ToLookup(_ => ""));
        var others = Math.Max(0, disk.TotalBytes - disk.AvailableBytes - list.TotalBytes);
        var named = list.Items.OrderByDescending(image => image.UniqueBytes).Take(NamedInMessage)
            .Select(image => $"{(image.References.Count > 0 ? image.References[0] : image.Digest)} {Text(image.UniqueBytes)}{(IsNeeded(image.Digest, image.References) ? ", needed" : "")}");
        var images = list.Items.Count == 0 ? "" : $" ({string.Join("; ", named)}{(list.Items.Count > NamedInMessage ? "; …" : "")})";
        return new ImagePullException(
            $"{full.Message}: {Text(Math.Max(0, wanted + floor - disk.AvailableBytes))} are missing, as {Text(disk.AvailableBytes)} are free, the pull wants {Text(wanted)} and {Text(floor)} stay free always. "
            + $"Of the data partition's {Text(disk.TotalBytes)}, images and pulls take {Text(list.TotalBytes)}{images}, volumes, logs and all else {Text(others)}. "
            + "Remove workloads or volumes, or use a larger disk; the pull then goes on from where it is.", full)
        {
            IsLocal = true, RoomWanted = wanted,
        };

        bool IsNeeded(string digest, IReadOnlyList<string> references) =>
            needed is not null && (needed.Digests.Contains(digest) || references.Any(needed.References.Contains));
    }

    private static string Text(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:F1} MiB");
}
