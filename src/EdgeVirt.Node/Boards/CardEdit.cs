using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Boards;

namespace EdgeVirt.Node.Boards;

/// <summary>The settings on the card could not be changed. The message says why.</summary>
internal sealed class CardException(string message, Exception? inner = null) : IOException(message, inner);

/// <summary>Changes single settings on the card and leaves the others as somebody wrote them; those that this agent does not know, too.</summary>
internal sealed class CardEdit
{
    private static readonly JsonDocumentOptions Reading = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    private readonly string path;
    private readonly JsonObject settings;
    private readonly int bytes;

    private CardEdit(string path, JsonObject settings, int bytes) => (this.path, this.settings, this.bytes) = (path, settings, bytes);

    /// <summary>Reads them; without a file there are none yet.</summary>
    /// <exception cref="CardException">What is there cannot be read.</exception>
    public static CardEdit Read(string path)
    {
        try
        {
            var text = File.Exists(path) ? File.ReadAllText(path) : "";
            var settings = string.IsNullOrWhiteSpace(text) ? [] : JsonNode.Parse(text.Trim('\0', '\uFEFF'), documentOptions: Reading) as JsonObject;
            return new CardEdit(path, settings ?? throw new CardException($"{path} holds no settings: it must be one JSON object."), Encoding.UTF8.GetByteCount(text));
        }
        catch (Exception e) when (e is JsonException or UnauthorizedAccessException or ArgumentException or (IOException and not CardException))
        {
            throw new CardException($"{path} cannot be read: {e.Message}", e);
        }
    }

    /// <summary>States a setting; null takes it out.</summary>
    public CardEdit Set(string name, string? value)
    {
        // People write them by hand, and capitals do not matter to who reads.
        foreach (var same in settings.Select(pair => pair.Key).Where(key => key.Equals(name, StringComparison.OrdinalIgnoreCase)).ToList())
        {
            settings.Remove(same);
        }

        if (value is not null)
        {
            settings[name] = value;
        }

        return this;
    }

    /// <summary>Writes them over what is there, durably. The file keeps its place on the card.</summary>
    /// <exception cref="CardException">They do not fit, or the card refused.</exception>
    public void Write()
    {
        var text = ToBytes();
        try
        {
            using var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, bufferSize: 0);
            file.Write(text);
            file.Flush(flushToDisk: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CardException($"{path} cannot be written: {e.Message}", e);
        }
    }

    /// <summary>The bytes of the file, filled up with spaces.</summary>
    /// <exception cref="CardException">They do not fit.</exception>
    public byte[] ToBytes()
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            settings.WriteTo(writer);
        }

        var size = Math.Max(BoardSettings.FileBytes, bytes);
        if (buffer.Length >= size)
        {
            throw new CardException($"The settings have {buffer.Length} bytes, and {path} has room for {size - 1}.");
        }

        var text = new byte[size];
        text.AsSpan().Fill((byte)' ');
        buffer.ToArray().CopyTo(text, 0);
        text[^1] = (byte)'\n';
        return text;
    }
}
