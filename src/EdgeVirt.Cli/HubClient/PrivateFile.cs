using EdgeVirt.Linux;

namespace EdgeVirt.Cli.HubClient;

/// <summary>Files with secrets in them.</summary>
internal static class PrivateFile
{
    /// <summary>Replaces a file in one step; it is never readable by others, not even for a moment.</summary>
    public static void Write(string path, ReadOnlySpan<byte> bytes) =>
        DurableFile.Write(Path.GetFullPath(path), bytes, UnixFileMode.UserRead | UnixFileMode.UserWrite);

    /// <summary>A token from a file, or from standard input.</summary>
    public static async Task<string> ReadTokenAsync(string? file, bool fromInput, TextReader input, CancellationToken ct)
    {
        string text;
        try
        {
            text = fromInput ? await input.ReadToEndAsync(ct) : await File.ReadAllTextAsync(file!, ct);
        }
        catch (Exception absent) when (absent is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CliException(ExitCodes.NotFound, $"there is no file '{file}'.", "The hub's first token is in the file admin.token of its data directory.");
        }

        var token = text.Trim();
        return token.Length > 0 && !token.Any(c => char.IsWhiteSpace(c) || char.IsControl(c))
            ? token
            : throw new CliException(ExitCodes.Invalid, $"{(fromInput ? "standard input" : $"'{file}'")} holds no token.", "It must hold the token alone, on one line.");
    }
}
