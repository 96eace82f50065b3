using EdgeVirt.Node.Containers.Images.Layers;

namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>
/// For layers without tar-split data: most headers are made anew of the table of contents, like those of their owner that were fetched,
/// because a request for a hundred bytes costs four times as many. Each that was fetched for another reason is compared; the layer's
/// digest proves the others. Where they turn out to be different, all are fetched.
/// </summary>
internal sealed class ForeseenHeaders(TableOfContents contents, RangeSpool spool, ChunkedLayer chunked) : ITarHeaders
{
    private readonly Stream _json = LayerCompression.Zstd(new SpooledRange(spool, chunked.Contents));
    private readonly Dictionary<(long User, long Group), HeaderTemplate> _templates = [];
    private readonly GapEntries _gap = new();
    private IEnumerator<ContentsEntry>? _entries;
    private byte _fileType = (byte)'0';
    private long _lastSize;

    /// <exception cref="InvalidDataException">Headers that were fetched are not as foreseen.</exception>
    public Stream Open(int index)
    {
        var padding = (int)((TarHeader.Size - (_lastSize % TarHeader.Size)) % TarHeader.Size);
        ReadEntries();
        var range = contents.Gap(index, chunked.TarEnd);
        var isFetched = !spool.Missing(range).Any();
        var frames = isFetched ? LayerCompression.Zstd(new SpooledRange(spool, range)) : null;
        if (index == contents.Pieces.Count || (isFetched && !_gap.IsPlain))
        {
            return frames ?? throw new InvalidDataException("Headers of the layer were not fetched.");
        }

        if (!isFetched && !_gap.IsPlain)
        {
            throw new InvalidDataException("Headers of the layer cannot be foreseen.");
        }

        var blocks = new byte[padding + (_gap.Entries.Count * TarHeader.Size)];
        if (frames is null)
        {
            Foresee(blocks.AsSpan(padding));
        }
        else
        {
            using (frames)
            {
                if (frames.ReadAtLeast(blocks, blocks.Length, throwOnEndOfStream: false) < blocks.Length || frames.ReadByte() >= 0)
                {
                    throw new InvalidDataException("The layer's entries have more than one header.");
                }
            }

            Learn(blocks.AsSpan(padding));
        }

        return new MemoryStream(blocks, writable: false);
    }

    public void Dispose()
    {
        _entries?.Dispose();
        _json.Dispose();
    }

    /// <summary>All entries up to the next that has content.</summary>
    private void ReadEntries()
    {
        _entries ??= new ContentsReader(_json).Entries().GetEnumerator();
        _gap.Clear();
        _lastSize = 0;
        while (_entries.MoveNext())
        {
            var entry = _entries.Current;
            if (entry.Type == "chunk")
            {
                continue;
            }

            _gap.Add(entry);
            if (entry is { Type: "reg", Size: > 0 })
            {
                _lastSize = entry.Size;
                return;
            }
        }
    }

    private void Foresee(Span<byte> blocks)
    {
        for (var i = 0; i < _gap.Entries.Count; i++)
        {
            var entry = _gap.Entries[i];
            if (!_templates.TryGetValue((entry.Uid, entry.Gid), out var template))
            {
                throw new InvalidDataException("No header of an owner was fetched.");
            }

            template.Write(entry, _fileType, blocks.Slice(i * TarHeader.Size, TarHeader.Size));
        }
    }

    private void Learn(ReadOnlySpan<byte> blocks)
    {
        Span<byte> foreseen = stackalloc byte[TarHeader.Size];
        for (var i = 0; i < _gap.Entries.Count; i++)
        {
            var entry = _gap.Entries[i];
            var block = blocks.Slice(i * TarHeader.Size, TarHeader.Size);
            _fileType = entry.Type == "reg" ? block[156] : _fileType;
            _templates.TryAdd((entry.Uid, entry.Gid), new HeaderTemplate(block));
            _templates[(entry.Uid, entry.Gid)].Write(entry, _fileType, foreseen);
            if (!foreseen.SequenceEqual(block))
            {
                throw new InvalidDataException("The layer's headers are not as foreseen.");
            }
        }
    }
}
