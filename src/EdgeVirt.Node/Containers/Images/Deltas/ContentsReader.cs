using System.Text.Json;

namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>Reads the entries of a table of contents one by one, in bounded memory: whole, it may be as large as the layer's own headers.</summary>
internal sealed class ContentsReader(Stream json)
{
    /// <summary>Of one entry; its name and attributes cannot be larger on any file system.</summary>
    private const int MaxEntryBytes = 1 << 20;

    /// <summary>Entries in memory at a time: the smallest are three bytes of JSON.</summary>
    private const int MaxBatch = 1000;

    private byte[] _buffer = new byte[64 << 10];
    private int _filled;
    private bool _atEnd;
    private bool _inEntries;
    private JsonReaderState _state;

    /// <exception cref="NoDeltaException">It is no table of contents that this node knows.</exception>
    public IEnumerable<ContentsEntry> Entries()
    {
        List<ContentsEntry> entries = [];
        while (!_atEnd || _filled > 0)
        {
            Fill();
            entries.Clear();
            int consumed;
            try
            {
                consumed = ReadBuffer(entries);
            }
            catch (Exception broken) when (broken is JsonException or InvalidOperationException)
            {
                // The second: a name that is no UTF-8.
                throw new NoDeltaException($"its table of contents is damaged ({broken.Message})");
            }

            _buffer.AsSpan(consumed, _filled - consumed).CopyTo(_buffer);
            _filled -= consumed;
            if (consumed == 0 && _atEnd && _filled > 0)
            {
                throw new NoDeltaException("its table of contents breaks off");
            }

            foreach (var entry in entries)
            {
                yield return entry;
            }
        }
    }

    private void Fill()
    {
        if (_filled == _buffer.Length)
        {
            if (_buffer.Length >= MaxEntryBytes)
            {
                throw new NoDeltaException("an entry of its table of contents is too large");
            }

            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        var read = json.ReadAtLeast(_buffer.AsSpan(_filled), _buffer.Length - _filled, throwOnEndOfStream: false);
        _atEnd = _filled + read < _buffer.Length;
        _filled += read;
    }

    /// <summary>What is whole in the buffer, up to a batch; how many bytes that was.</summary>
    private int ReadBuffer(List<ContentsEntry> entries)
    {
        var reader = new Utf8JsonReader(_buffer.AsSpan(0, _filled), _atEnd, _state);
        while (entries.Count < MaxBatch && (_inEntries ? ReadEntry(ref reader, entries) : ReadProperty(ref reader)))
        {
        }

        _state = reader.CurrentState;
        return (int)reader.BytesConsumed;
    }

    private bool ReadEntry(ref Utf8JsonReader reader, List<ContentsEntry> entries)
    {
        var probe = reader;
        if (!probe.Read())
        {
            return false;
        }

        if (probe.TokenType == JsonTokenType.EndArray)
        {
            _inEntries = false;
            return reader.Read();
        }

        if (!probe.TrySkip())
        {
            return false;
        }

        reader.Read();
        entries.Add(JsonSerializer.Deserialize(ref reader, DeltaJson.Default.ContentsEntry) ?? throw new JsonException("an entry is null"));
        return true;
    }

    private bool ReadProperty(ref Utf8JsonReader reader)
    {
        var probe = reader;
        if (!probe.Read())
        {
            return false;
        }

        if (probe.TokenType != JsonTokenType.PropertyName)
        {
            return reader.Read();
        }

        var name = probe.GetString();
        if (!probe.Read() || (name != "entries" && !probe.TrySkip()))
        {
            return false;
        }

        reader.Read();
        reader.Read();
        switch (name)
        {
            case "entries" when reader.TokenType == JsonTokenType.StartArray:
                _inEntries = true;
                break;
            case "version" when reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out var version) || version != 1:
                throw new NoDeltaException("its table of contents has a version that this node does not know");
            default:
                reader.TrySkip();
                break;
        }

        return true;
    }
}
