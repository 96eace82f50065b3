using System.Runtime.CompilerServices;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Local;

/// <summary>LogLine messages out of data frames; a message may lie across frames.</summary>
internal static class LogLines
{
    private const int MaxLine = 1 << 20;

    public static async IAsyncEnumerable<LogLine> ReadAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> data, [EnumeratorCancellation] CancellationToken ct)
    {
        var pending = Array.Empty<byte>();
        await foreach (var piece in data.WithCancellation(ct))
        {
            pending = [.. pending, .. piece.Span];
            var at = 0;
            while (TryReadLength(pending.AsSpan(at), out var length, out var head) && pending.Length - at - head >= length)
            {
                yield return LogLine.Parser.ParseFrom(pending, at + head, length);
                at += head + length;
            }

            pending = pending[at..];
        }
    }

    private static bool TryReadLength(ReadOnlySpan<byte> bytes, out int length, out int head)
    {
        length = 0;
        for (head = 0; head < bytes.Length && head < 5;)
        {
            var next = bytes[head];
            length |= (next & 0x7f) << (7 * head);
            head++;
            if ((next & 0x80) == 0)
            {
                return length is >= 0 and <= MaxLine ? true : throw new IOException($"the agent announced a log line of {length} bytes");
            }
        }

        return false;
    }
}
