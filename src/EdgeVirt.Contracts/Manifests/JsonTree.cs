using System.Text;
using System.Text.Json;

namespace EdgeVirt.Contracts.Manifests;

/// <summary>JSON, and nothing more lenient, to the tree that <see cref="ManifestSchema"/> checks: for programs that have no use for YAML.</summary>
internal static class JsonTree
{
    /// <summary>Reads one value. <paramref name="twice"/> is told each key that is there twice in one place, with its line.</summary>
    /// <exception cref="JsonException">It is no JSON; <see cref="JsonException.LineNumber"/> says where, from 0.</exception>
    public static ManifestNode Read(ReadOnlySpan<byte> text, Action<int, string> twice)
    {
        var reader = new Utf8JsonReader(text);
        var lines = new LineCount(text);
        reader.Read();
        var node = ReadValue(ref reader, ref lines, twice);
        // Anything but white space behind it throws.
        reader.Read();
        return node;
    }

    private static ManifestNode ReadValue(ref Utf8JsonReader reader, ref LineCount lines, Action<int, string> twice)
    {
        var line = lines.At(reader.TokenStartIndex);
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                return ReadObject(line, ref reader, ref lines, twice);
            case JsonTokenType.StartArray:
                var items = new List<ManifestNode>();
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                {
                    items.Add(ReadValue(ref reader, ref lines, twice));
                }

                return new ManifestSequence(line, items);
            case JsonTokenType.String:
                return new ManifestScalar(line, Text(ref reader), IsPlain: false);
            default:
                return new ManifestScalar(line, Encoding.UTF8.GetString(reader.ValueSpan), IsPlain: true);
        }
    }

    private static ManifestMapping ReadObject(int line, ref Utf8JsonReader reader, ref LineCount lines, Action<int, string> twice)
    {
        var entries = new List<ManifestEntry>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var (key, at) = (Text(ref reader), lines.At(reader.TokenStartIndex));
            reader.Read();
            if (reader.TokenType == JsonTokenType.Null)
            {
                // As if it were not there; in YAML an empty object is written so.
                continue;
            }

            var value = ReadValue(ref reader, ref lines, twice);
            if (entries.Exists(entry => entry.Key == key))
            {
                twice(at, key);
                continue;
            }

            entries.Add(new ManifestEntry(key, at, value));
        }

        return new ManifestMapping(line, entries);
    }

    private static string Text(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw new JsonException("A text is no valid UTF-8.");
        }
    }

    /// <summary>Lines of places that are asked for in order.</summary>
    private ref struct LineCount(ReadOnlySpan<byte> text)
    {
        private readonly ReadOnlySpan<byte> text = text;
        private int place;
        private int line = 1;

        public int At(long position)
        {
            line += text[place..(int)position].Count((byte)'\n');
            place = (int)position;
            return line;
        }
    }
}
