using System.Text;
using System.Text.Json;

namespace EdgeVirt.Node.Boards;

/// <summary>The settings as they lie on the card, a FAT file system that any laptop writes to.</summary>
internal static class CardFile
{
    private const int MaxBytes = 1 << 20;

    /// <summary>Its bytes; null where it is not there.</summary>
    /// <exception cref="IOException">It cannot be read, or is far too large.</exception>
    public static byte[]? Read(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        using var file = File.OpenRead(path);
        if (file.Length > MaxBytes)
        {
            throw new IOException($"{path} has {file.Length} bytes; at most {MaxBytes} are settings");
        }

        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>Whether a claim token stands there, whole or in part: a power cut may have left half of one that was being blanked.</summary>
    public static bool HasToken(ReadOnlySpan<byte> bytes) => TokensOf(bytes).Count > 0;

    /// <summary>Whether its claim token is what a power cut left of one that was being blanked.</summary>
    public static bool HasPartOfToken(ReadOnlySpan<byte> bytes) =>
        TokensOf(bytes) is [var (start, length), ..] && (bytes[start] == ' ' || bytes[start + length - 1] == ' ')
        && !Contracts.ClaimToken.TryParse(Encoding.UTF8.GetString(bytes.Slice(start, length)), out _);

    /// <summary>
    /// Writes spaces over every claim token, durably, in the blocks where they lie: neither the length nor the name of the file changes, and what a power cut
    /// leaves of it is JSON still.
    /// </summary>
    /// <exception cref="IOException">The card refused.</exception>
    public static void BlankTokens(string path, ReadOnlySpan<byte> bytes)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        foreach (var (start, length) in TokensOf(bytes))
        {
            var spaces = new byte[length];
            spaces.AsSpan().Fill((byte)' ');
            file.Position = start;
            file.Write(spaces);
        }

        file.Flush(flushToDisk: true);
    }

    // Where the texts between the quotes of every "claimToken" at the top are, those of spaces alone left out.
    private static List<(int Start, int Length)> TokensOf(ReadOnlySpan<byte> bytes)
    {
        List<(int, int)> tokens = [];
        var skipped = bytes.StartsWith("\uFEFF"u8) ? 3 : 0;
        var reader = new Utf8JsonReader(bytes[skipped..], new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 1
                    && string.Equals(reader.GetString(), "claimToken", StringComparison.OrdinalIgnoreCase)
                    && reader.Read() && reader.TokenType == JsonTokenType.String && !reader.ValueSpan.Trim((byte)' ').IsEmpty)
                {
                    tokens.Add((skipped + (int)reader.TokenStartIndex + 1, reader.ValueSpan.Length));
                }
            }
        }
        catch (JsonException)
        {
            // No JSON, or zero bytes behind it: what was found until here counts.
        }

        return tokens;
    }
}
