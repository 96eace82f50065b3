using System.Text.Encodings.Web;
using System.Text.Json;
using EdgeVirt.Contracts.Api;

namespace EdgeVirt.Contracts.Boards;

/// <summary>
/// <see cref="BoardSettings"/> as they lie on a card: JSON in UTF-8, filled up to <see cref="BoardSettings.FileBytes"/> with lines of spaces. A file that a
/// person saved without the filling is read as well, with the mark that some editors put at its beginning.
/// </summary>
public static class BoardSettingsFile
{
    private const int LineBytes = 64;
    private static readonly IReadOnlySet<string> Secrets = new HashSet<string> { "claimToken", "passphrase", "password", "pin" };

    private static readonly ContractsJson Json = new(new JsonSerializerOptions(ContractsJson.Default.Options)
    {
        WriteIndented = true,
        NewLine = "\n",
        // For people who read it on a laptop; it never goes into a web page.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });

    /// <summary>The whole file, <see cref="BoardSettings.FileBytes"/> bytes.</summary>
    /// <exception cref="ArgumentException">The settings do not fit; <see cref="BoardSettingsValidation"/> says so before.</exception>
    public static byte[] Write(BoardSettings settings)
    {
        var text = JsonSerializer.SerializeToUtf8Bytes(settings, Json.BoardSettings);
        if (text.Length > BoardSettings.FileBytes)
        {
            throw new ArgumentException(TooLong(text.Length), nameof(settings));
        }

        var file = Blank();
        text.CopyTo(file, 0);
        if (text.Length < file.Length)
        {
            file[text.Length] = (byte)'\n';
        }

        return file;
    }

    /// <summary>The file as it is in an image: nothing but spaces and line ends.</summary>
    public static byte[] Blank()
    {
        var file = new byte[BoardSettings.FileBytes];
        file.AsSpan().Fill((byte)' ');
        for (var end = LineBytes - 1; end < file.Length; end += LineBytes)
        {
            file[end] = (byte)'\n';
        }

        return file;
    }

    /// <summary>Reads and checks a file. One without any text holds settings that say nothing.</summary>
    public static BoardJsonResult<BoardSettings> Read(ReadOnlySpan<byte> file)
    {
        if (file.Length > BoardSettings.FileBytes)
        {
            return new BoardJsonResult<BoardSettings>(null, [new FieldError(0, "", TooLong(file.Length))]);
        }

        var text = file.StartsWith("\uFEFF"u8) ? file[3..] : file;
        // Zeros are what a file system leaves behind the end where power failed.
        text = text.TrimEnd(" \t\r\n\0"u8);
        return text.Trim(" \t\r\n"u8).IsEmpty
            ? new BoardJsonResult<BoardSettings>(new BoardSettings(), [])
            : BoardJson.Read(text, ContractsJson.Default.BoardSettings, BoardSettingsValidation.Validate, Secrets);
    }

    /// <summary>Bytes of the settings' text, without filling.</summary>
    internal static int LengthOf(BoardSettings settings) => JsonSerializer.SerializeToUtf8Bytes(settings, Json.BoardSettings).Length;

    internal static string TooLong(int bytes) => $"has {bytes} bytes; a card has room for {BoardSettings.FileBytes}";
}
