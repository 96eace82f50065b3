using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Node.Control;

/// <summary>Where log lines come from. Throws <see cref="ChannelRefusedException"/> where there are none to be had.</summary>
internal delegate IAsyncEnumerable<LogLine> ReadLogs(LogsRequest request, CancellationToken ct);

/// <summary>What a container wrote. Lines that are there together travel together.</summary>
internal sealed class LogsVerb(ReadLogs read)
{
    private const int FlushAt = 16 << 10;

    public ChannelVerb Verb => new(OpenChannel.VerbOneofCase.Logs, IsLocalOnly: false, ServeAsync);

    private async Task<string> ServeAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        using var buffer = new MemoryStream();
        await using var lines = read(open.Logs, ct).GetAsyncEnumerator(ct);
        while (true)
        {
            var next = lines.MoveNextAsync();
            if (buffer.Length >= FlushAt || !next.IsCompleted)
            {
                await FlushAsync(buffer, channel, ct);
            }

            if (!await next)
            {
                break;
            }

            lines.Current.WriteDelimitedTo(buffer);
        }

        await FlushAsync(buffer, channel, ct);
        return "";
    }

    private static async Task FlushAsync(MemoryStream buffer, ServedChannel channel, CancellationToken ct)
    {
        await channel.SendAsync(buffer.GetBuffer().AsMemory(0, (int)buffer.Length), ct);
        buffer.SetLength(0);
    }
}
