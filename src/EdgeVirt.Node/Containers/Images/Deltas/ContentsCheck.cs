namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>Makes a table of contents of its entries and refuses what cannot be: the table comes from whoever made the image.</summary>
internal sealed class ContentsCheck(long tarEnd, long maxUnpackedBytes, int maxWeight)
{
    /// <summary>Most that the tables of all layers of one pull may weigh.</summary>
    public const int MaxWeight = 100_000;

    private const int NameWeight = 100;

    private const int MaxOwners = 1000;

    private readonly List<ContentFile> _files = [];
    private readonly List<ContentPiece> _pieces = [];
    private readonly List<ContentsEntry> _chunks = [];
    private readonly List<bool> _foreseen = [];
    private readonly HashSet<(long User, long Group)> _owners = [];
    private readonly GapEntries _gap = new();
    private ContentsEntry? _file;
    private long _end;
    private long _unpacked;

    /// <summary>What the table takes of memory while the pull lasts, each some 300 bytes: its pieces, and every hundred letters of its files' names.</summary>
    public int Weight { get; private set; }

    /// <exception cref="NoDeltaException">It cannot be the table of this layer.</exception>
    public TableOfContents Run(ContentsReader reader)
    {
        foreach (var entry in reader.Entries())
        {
            if (entry.Type == "chunk")
            {
                Require(_file is not null && entry.Name == _file.Name, "a part belongs to no file");
                Weigh(1);
                _chunks.Add(entry);
                continue;
            }

            Close();
            _gap.Add(entry);
            if (entry.Type == "reg" && entry.Size != 0)
            {
                Require(entry is { Size: > 0, Name.Length: > 0 }, "a file has no name or no size");
                Weigh(1 + (entry.Name!.Length / NameWeight));
                _file = entry;
                _chunks.Add(entry);
            }
        }

        Close();
        return new TableOfContents { Files = _files, Pieces = _pieces, IsForeseen = _foreseen };
    }

    private void Weigh(int weight)
    {
        Weight += weight;
        Require(Weight <= maxWeight, $"it has more files than {maxWeight}, or very long names");
    }

    /// <summary>All of a file is known now.</summary>
    private void Close()
    {
        if (_file is not { } file)
        {
            return;
        }

        Require(file.EndOffset > file.Offset && file.Offset >= _end && file.EndOffset <= tarEnd, "files overlap, are out of order or out of the layer");
        _unpacked = _unpacked <= maxUnpackedBytes - file.Size ? _unpacked + file.Size : throw new NoDeltaException("it unpacks to more than is allowed");
        var hash = ContentHash.Parse(file.Digest);
        Require(hash is not null, "a file has no digest");
        _files.Add(new ContentFile(file.Name!, file.Size, hash.GetValueOrDefault(), _pieces.Count, _chunks.Count));
        if (_chunks.Count == 1)
        {
            Add(file.Offset, file.EndOffset, 0, file.Size, hash, isZeros: file.ChunkType == "zeros");
        }
        else
        {
            AddChunks(file);
        }

        _foreseen.Add(IsForeseen());
        _foreseen.AddRange(Enumerable.Repeat(false, _chunks.Count - 1));
        _gap.Clear();
        _end = file.EndOffset;
        _file = null;
        _chunks.Clear();
    }

    /// <summary>The first headers of each owner are fetched: the others are made like them.</summary>
    private bool IsForeseen()
    {
        var isForeseen = _gap.IsPlain;
        foreach (var entry in _gap.Entries)
        {
            var owner = (entry.Uid, entry.Gid);
            isForeseen &= _owners.Contains(owner);
            if (_owners.Count < MaxOwners)
            {
                _owners.Add(owner);
            }
        }

        return isForeseen;
    }

    private void AddChunks(ContentsEntry file)
    {
        long offset = 0;
        for (var i = 0; i < _chunks.Count; i++)
        {
            var chunk = _chunks[i];
            var end = i + 1 < _chunks.Count ? _chunks[i + 1].Offset : file.EndOffset;
            Require(chunk.ChunkOffset == offset && chunk.ChunkSize > 0 && chunk.ChunkSize <= file.Size - offset, "the parts of a file do not fit together");
            Require(end > chunk.Offset && end <= file.EndOffset, "parts overlap, are out of order or out of the layer");
            Add(chunk.Offset, end, offset, chunk.ChunkSize, ContentHash.Parse(chunk.ChunkDigest), chunk.ChunkType == "zeros");
            offset += chunk.ChunkSize;
        }

        Require(offset == file.Size, "the parts of a file do not fit together");
    }

    private void Add(long start, long end, long offset, long length, ContentHash? hash, bool isZeros)
    {
        Require(hash is not null || isZeros, "a part has no digest");
        _pieces.Add(new ContentPiece
        {
            File = _files.Count - 1, Start = start, End = end, FileOffset = offset, Length = length, Hash = hash.GetValueOrDefault(), IsZeros = isZeros,
        });
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new NoDeltaException($"its table of contents is wrong: {otherwise}");
        }
    }
}
