namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>The files of a zstd:chunked layer and where in the blob their contents lie, in the order of both blob and tar.</summary>
internal sealed class TableOfContents
{
    public required IReadOnlyList<ContentFile> Files { get; init; }

    /// <summary>All pieces of all files.</summary>
    public required IReadOnlyList<ContentPiece> Pieces { get; init; }

    /// <summary>For each piece, whether the headers before it follow from the table and from others (<see cref="ForeseenHeaders"/>).</summary>
    public required IReadOnlyList<bool> IsForeseen { get; init; }

    /// <summary>
    /// Where the frames lie that come before a piece: the rest of the block of the content before, headers of the tar. Behind the
    /// last piece (<paramref name="index"/> is their count) it is the end of the tar. Empty within a file.
    /// </summary>
    public ByteRange Gap(int index, long tarEnd) =>
        new(index == 0 ? 0 : Pieces[index - 1].End, index == Pieces.Count ? tarEnd : Pieces[index].Start);

    /// <summary>Whether there is something between a piece and the one before.</summary>
    public bool HasGap(int index) => index == 0 || index == Pieces.Count || Pieces[index].File != Pieces[index - 1].File;
}

/// <summary>A regular file that is not empty.</summary>
/// <param name="Name">As in the tar.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Hash">Of its content.</param>
/// <param name="FirstPiece">Index of its first piece.</param>
/// <param name="PieceCount">At least one.</param>
internal sealed record ContentFile(string Name, long Size, ContentHash Hash, int FirstPiece, int PieceCount);

/// <summary>Content of a file, or a part of it, that is compressed on its own.</summary>
internal sealed class ContentPiece
{
    /// <summary>Index of its file.</summary>
    public required int File { get; init; }

    /// <summary>Where its frames begin in the blob.</summary>
    public required long Start { get; init; }

    /// <summary>Where they end.</summary>
    public required long End { get; init; }

    /// <summary>Where it lies in the file.</summary>
    public required long FileOffset { get; init; }

    /// <summary>Bytes, unpacked.</summary>
    public required long Length { get; init; }

    public required ContentHash Hash { get; init; }

    /// <summary>Nothing but zeros.</summary>
    public bool IsZeros { get; init; }

    /// <summary>Where the same bytes lie on this node, at the same place of a file; null: nowhere.</summary>
    public LocalFile? Local { get; set; }

    /// <summary>Whether its bytes have to be fetched.</summary>
    public bool IsMissing => Local is null && !IsZeros;
}

/// <summary>A file in an unpacked layer.</summary>
/// <param name="Layer">Its chain id.</param>
/// <param name="Path">Beneath the layer's directory.</param>
internal sealed record LocalFile(string Layer, byte[] Path);
