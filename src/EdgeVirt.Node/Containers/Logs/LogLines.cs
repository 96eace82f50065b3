using System.Globalization;
using System.Text;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Node.Containers.Logs;

/// <summary>
/// Lines of conmon's <c>k8s-file</c> format, which is the CRI's: <c>RFC3339Nano stream tag text</c>, where the stream is
/// stdout or stderr and the tag P (the line goes on in the next) or F (it ends here).
/// </summary>
internal static class LogLines
{
    /// <summary>Reads a line without its newline. False: it is none, for instance because a power cut shortened it.</summary>
    public static bool TryParse(ReadOnlySpan<byte> line, out LogLine parsed)
    {
        parsed = null!;
        var rest = line;
        if (!TakeWord(ref rest, out var time) || !TakeWord(ref rest, out var stream) || !TakeWord(ref rest, out var tag) || UnixNanoseconds(time) is not { } at)
        {
            return false;
        }

        var isError = stream.SequenceEqual("stderr"u8);
        if (!isError && !stream.SequenceEqual("stdout"u8))
        {
            return false;
        }

        parsed = new LogLine
        {
            TimeUnixNs = at,
            Stderr = isError,
            Partial = tag.Length > 0 && tag[0] == 'P',
            Text = ByteString.CopyFrom(rest),
        };
        return true;
    }

    /// <summary>Whether the line without its newline is a part, and the next one goes on with it.</summary>
    public static bool GoesOn(ReadOnlySpan<byte> line) =>
        TakeWord(ref line, out _) && TakeWord(ref line, out _) && TakeWord(ref line, out var tag) && tag[0] == (byte)'P';

    private static bool TakeWord(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> word)
    {
        var space = rest.IndexOf((byte)' ');
        word = space < 0 ? [] : rest[..space];
        rest = space < 0 ? rest : rest[(space + 1)..];
        return space > 0;
    }

    // 2026-11-22T21:27:12.123456789+00:00: DateTimeOffset keeps seven digits, so the fraction is read apart.
    private static long? UnixNanoseconds(ReadOnlySpan<byte> text)
    {
        const int Seconds = 19;
        if (text.Length < Seconds + 1 || text.Length > 64)
        {
            return null;
        }

        var nanoseconds = 0L;
        var at = Seconds;
        if (text[at] == '.')
        {
            var scale = 100_000_000L;
            for (at++; at < text.Length && text[at] is >= (byte)'0' and <= (byte)'9'; at++, scale /= 10)
            {
                nanoseconds += (text[at] - '0') * scale;
            }
        }

        var whole = Encoding.ASCII.GetString(text[..Seconds]) + Encoding.ASCII.GetString(text[at..]);
        return DateTimeOffset.TryParseExact(
            whole, ["yyyy-MM-dd'T'HH:mm:sszzz", "yyyy-MM-dd'T'HH:mm:ss'Z'"], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var moment)
                ? (moment.ToUnixTimeSeconds() * 1_000_000_000L) + nanoseconds
                : null;
    }
}
