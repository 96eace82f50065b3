using System.CommandLine;
using System.Text;
using EdgeVirt.Cli.Commands;

namespace EdgeVirt.Cli.Flash.Cards;

/// <summary>Reads what must not stand on a command line. Standard input is there once.</summary>
internal sealed class CardSecrets(Invocation invocation)
{
    private const int MaxBytes = 64 << 10;
    private Option<string?>? reader;

    /// <summary>The text of the file that an option names, without white space around it; null: the option was not given.</summary>
    public async Task<string?> ReadAsync(Option<string?> option, CancellationToken ct)
    {
        if (invocation.Get(option) is not { } file)
        {
            return null;
        }

        string text;
        if (file == "-")
        {
            if (reader is not null)
            {
                throw new CliException(ExitCodes.Usage, $"{reader.Name} and {option.Name} both want standard input.", "Give one of them a file.");
            }

            reader = option;
            text = await invocation.Terminal.In.ReadToEndAsync(ct);
        }
        else
        {
            text = Encoding.UTF8.GetString(await ReadFileAsync(file, ct));
        }

        // A passphrase may end with a space; only the line's end does not belong to it.
        text = text.TrimEnd('\r', '\n');
        return text.Length > 0 && !text.Contains('\n')
            ? text
            : throw new CliException(ExitCodes.Invalid, $"{(file == "-" ? "standard input" : $"'{file}'")} ({option.Name}) must hold one line.", "It holds the secret alone.");
    }

    /// <summary>A small file.</summary>
    public static async Task<byte[]> ReadFileAsync(string file, CancellationToken ct)
    {
        try
        {
            await using var stream = File.OpenRead(file);
            var buffer = new byte[MaxBytes + 1];
            var length = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, ct);
            return length <= MaxBytes ? buffer[..length] : throw new CliException(ExitCodes.Invalid, $"'{file}' is larger than {MaxBytes >> 10} KiB.", "It may be another file than the one that is meant.");
        }
        catch (Exception absent) when (absent is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CliException(ExitCodes.NotFound, $"there is no file '{file}'.");
        }
    }
}
