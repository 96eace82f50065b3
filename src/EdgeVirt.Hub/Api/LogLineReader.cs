using System.Runtime.CompilerServices;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Hub.Api;

/// <summary>Takes log lines, each with a varint length before it, out of data frames that end anywhere.</summary>
internal static class LogLineReader
{
    private const int MaxLine = 1 << 20;

    /// <exception cref="InvalidDataException">A line is longer than a node may send.</exception>
    public static async IAsyncEnumerable<LogLine> ReadAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> frames, [EnumeratorCancellation] CancellationToken ct)
    {
        var pending = new MemoryStream();
        await foreach (var frame in frames.WithCancellation(ct))
        {
            pending.Write(frame.Span);
            var bytes = pending.GetBuffer().AsMemory(0, (int)pending.Length);
            while (TryTake(ref bytes, out var line))
            {
                yield return line;
            }

            var rest = bytes.ToArray();
            pending.SetLength(0);
            pending.Write(rest);
        }
    }

    private static bool TryTake(ref Memory<byte> bytes, out LogLine line)
    {
        line = null!;
        var (length, shift, at) = (0L, 0, 0);
        byte current;
        do
        {
            if (at == bytes.Length)
            {
                return false;
            }

            current = bytes.Span[at++];
            length |= (long)(current & 0x7F) << shift;
            shift += 7;
            if (length > MaxLine || shift > 35)
            {
                throw new InvalidDataException("The node sent a log line that is too long.");
            }
        }
        while (current >= 0x80);

        if (bytes.Length - at < length)
        {
            return false;
        }

        line = LogLine.Parser.ParseFrom(bytes.Span.Slice(at, (int)length));
        bytes = bytes[(at + (int)length)..];
        return true;
    }
}
