using System.Text.Json;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Containers.Images.Deltas;
using ZstdSharp;

namespace EdgeVirt.Node.Containers.Images.Layers;

/// <summary>
/// Unpacked layers by chain id, shared between images that have them on the same base. <c>layers/&lt;hex&gt;</c> is the tree;
/// <c>layers/&lt;hex&gt;.complete</c> beside it appears last and says that the tree is whole.
/// What has no marker is the rest of a crash.
/// </summary>
internal sealed class LayerStore(string directory, UnpackLimits limits, Func<string, DiskSpace> measureDisk)
{
    public const string MarkerSuffix = ".complete";
    private const string TemporaryPrefix = ".tmp-";
    private const string TrashPrefix = ".trash-";

    /// <summary>At least so many bytes more than did not fit.</summary>
    private const long MoreRoom = 1 << 20;

    public string PathOf(string chainId) => Path.Combine(directory, Digest.Hex(chainId));

    /// <summary>The marker of a whole layer; null where there is none.</summary>
    public LayerMarker? Find(string chainId)
    {
        try
        {
            var marker = JsonSerializer.Deserialize(File.ReadAllBytes(PathOf(chainId) + MarkerSuffix), ImageJson.Default.LayerMarker);
            return marker?.ChainId == chainId && Directory.Exists(PathOf(chainId)) ? marker : null;
        }
        catch (Exception absent) when (absent is FileNotFoundException or DirectoryNotFoundException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Removes what crashes left: temporary trees, trash, trees without marker and markers without tree.</summary>
    public void Clean()
    {
        Directory.CreateDirectory(directory);
        foreach (var path in Directory.EnumerateFileSystemEntries(directory).ToList())
        {
            var name = Path.GetFileName(path);
            var chainId = "sha256:" + Path.GetFileNameWithoutExtension(name);
            if (!Digest.IsDigest(chainId) || Find(chainId) is null)
            {
                FileTree.Remove(path);
            }
        }
    }

    public IReadOnlyList<string> All() =>
    [
        .. Directory.EnumerateFiles(directory, "*" + MarkerSuffix)
            .Select(path => "sha256:" + Path.GetFileNameWithoutExtension(path)).Where(Digest.IsDigest),
    ];

    /// <summary>Unpacks a layer, proving its compressed and its unpacked digest. On any failure nothing of it is left.</summary>
    /// <param name="blob">The compressed layer, from its beginning, seekable; or its tar put together, which the unpacked digest alone proves.</param>
    /// <param name="layer">What the manifest says of it.</param>
    /// <param name="place">What the config says of it, and what lies below.</param>
    /// <param name="bytesLeft">How large it may become.</param>
    /// <param name="ct">Gives up between two reads.</param>
    /// <exception cref="DamagedBlobException">The compressed bytes are not those of the digest.</exception>
    /// <exception cref="ImageRefusedException">The layer is not one that may be unpacked.</exception>
    /// <exception cref="ImagePullException">The node is at fault; where its disk is full it says how much room the layer wants.</exception>
    public LayerMarker Unpack(Stream blob, Descriptor layer, LayerPlace place, long bytesLeft, CancellationToken ct)
    {
        var target = PathOf(place.ChainId);
        var temporary = Path.Combine(directory, TemporaryPrefix + Digest.Hex(place.ChainId));
        Remove(place.ChainId);
        FileTree.Remove(temporary);
        Directory.CreateDirectory(temporary, (UnixFileMode)0x1ED);
        using var compressed = new HashingStream(blob);
        try
        {
            var marker = UnpackInto(temporary, blob, compressed, layer, place, bytesLeft, ct);
            Directory.Move(temporary, target);
            DurableFile.SyncDirectory(directory);
            DurableFile.Write(target + MarkerSuffix, JsonSerializer.SerializeToUtf8Bytes(marker, ImageJson.Default.LayerMarker), (UnixFileMode)0x180);
            return marker;
        }
        catch (Exception unpackable) when (unpackable is ImageRefusedException or InvalidDataException or ZstdException or EndOfStreamException)
        {
            // A bit that flipped on the way is no fault of the image.
            compressed.Drain();
            if (compressed.Digest != ProofOf(blob, layer, place))
            {
                throw new DamagedBlobException(layer.Digest!, unpackable) { IsRebuilt = blob is RebuiltTar };
            }

            throw unpackable as ImageRefusedException ?? TarReader.Damaged(unpackable.Message, unpackable);
        }
        catch (Exception failed) when (NodeFault.Of(failed) is { } fault)
        {
            throw fault;
        }
        finally
        {
            FileTree.Remove(temporary);
        }
    }

    /// <summary>Removes a layer: first the marker, so that half a tree is never taken for a whole one.</summary>
    public void Remove(string chainId)
    {
        var path = PathOf(chainId);
        File.Delete(path + MarkerSuffix);
        if (Directory.Exists(path))
        {
            var trash = Path.Combine(directory, TrashPrefix + Digest.Hex(chainId));
            FileTree.Remove(trash);
            Directory.Move(path, trash);
            FileTree.Remove(trash);
        }
    }

    /// <summary>Refuses to fill the disk beyond the floor.</summary>
    /// <exception cref="ImagePullException">So many bytes more would; it says how many are wanted.</exception>
    public void CheckDisk(long more)
    {
        var free = measureDisk(directory).AvailableBytes;
        if (free - more < limits.MinFreeBytes)
        {
            throw new ImagePullException($"The image would leave less than {limits.MinFreeBytes >> 20} MiB free ({free >> 20} MiB are)") { IsLocal = true, RoomWanted = more };
        }
    }

    private LayerMarker UnpackInto(
        string temporary, Stream blob, HashingStream compressed, Descriptor layer, LayerPlace place, long bytesLeft, CancellationToken ct)
    {
        CheckDisk(0);
        var isRebuilt = blob is RebuiltTar;
        var isAsItIs = isRebuilt || (place.FileName is not null && !ArtifactFile.IsPacked(layer));
        using var plain = isAsItIs ? new BorrowedStream(compressed) : LayerCompression.Open(blob, compressed);
        using var content = new HashingStream(plain, count => CheckSize(count, isRebuilt ? layer.Size : compressed.Count, bytesLeft), isHashing: !isRebuilt && place.FileName is null);
        var entries = 1;
        try
        {
            if (place.FileName is { } name)
            {
                ArtifactFile.Write(content, Path.Combine(temporary, name), CheckDisk, ct);
            }
            else
            {
                entries = UnpackTree(temporary, content, place, ct);
            }
        }
        catch (Exception failed) when ((failed as ImagePullException ?? NodeFault.Of(failed)) is { RoomWanted: not null } full)
        {
            throw new ImagePullException(full.Message, failed) { IsLocal = true, RoomWanted = RoomFor(content.Count, isRebuilt ? null : (double)compressed.Count / layer.Size) };
        }

        content.Drain();
        compressed.Drain();
        if (compressed.Digest != ProofOf(blob, layer, place))
        {
            throw new DamagedBlobException(layer.Digest!) { IsRebuilt = isRebuilt };
        }

        if (!isRebuilt && compressed.Count != layer.Size)
        {
            throw new ImageRefusedException(ImageRefusedReason.SizeMismatch, $"Layer {layer.Digest} has {compressed.Count} bytes, its manifest says {layer.Size}.");
        }

        if (!isRebuilt && place.FileName is null && content.Digest != place.DiffId)
        {
            throw new ImageRefusedException(ImageRefusedReason.DiffIdMismatch, $"Layer {layer.Digest} unpacks to {content.Digest}, its config says {place.DiffId}.");
        }

        return new LayerMarker { ChainId = place.ChainId, Bytes = content.Count, Entries = entries };
    }

    private int UnpackTree(string directory, Stream content, LayerPlace place, CancellationToken ct)
    {
        using var tree = ConfinedTree.Open(directory, place.Below);
        var unpacker = new LayerUnpacker(new TarReader(content), tree, limits, CheckDisk);
        unpacker.Run(ct);
        tree.Sync();
        return unpacker.Entries;
    }

    /// <summary>What a layer will take that did not fit, whose beginning is away again: as much for the rest as for what was read, or twice that where its length is not known.</summary>
    private static long RoomFor(long unpacked, double? partRead) => Math.Max((long)(unpacked / Math.Clamp(partRead ?? 0.5, 0.01, 1)), unpacked + Math.Max(MoreRoom, unpacked / 4));

    /// <summary>The digest that what is read must have: a tar that was put together has no compressed bytes to prove.</summary>
    private static string ProofOf(Stream blob, Descriptor layer, LayerPlace place) => blob is RebuiltTar ? place.DiffId : layer.Digest!;

    private void CheckSize(long unpacked, long compressed, long bytesLeft)
    {
        if (unpacked > bytesLeft)
        {
            throw new ImageRefusedException(ImageRefusedReason.TooLarge, $"Image refused: it unpacks to more than {limits.MaxUnpackedBytes >> 20} MiB.");
        }

        if (unpacked > limits.RatioFloorBytes && unpacked / limits.MaxRatio > compressed)
        {
            throw new ImageRefusedException(ImageRefusedReason.TooLarge, $"Layer refused: it expands more than {limits.MaxRatio} times, as decompression bombs do.");
        }
    }
}

/// <summary>Which layer it is to be, and the directories of those below it, lowest first.</summary>
internal sealed record LayerPlace(string DiffId, string ChainId, IReadOnlyList<string> Below)
{
    /// <summary>What it is called as the one file that it is; null: it is a tar. It has no diff id then.</summary>
    public string? FileName { get; init; }
}

/// <summary>Stored or fetched bytes are not those that their digest names; fetching them again can help.</summary>
internal sealed class DamagedBlobException(string digest, Exception? inner = null) : Exception($"Blob {digest} is damaged.", inner)
{
    /// <summary>Whether the bytes were put together from several places, so that fetching the blob whole can help.</summary>
    public bool IsRebuilt { get; init; }
}
