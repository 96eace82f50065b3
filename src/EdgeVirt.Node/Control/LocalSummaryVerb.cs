using System.Security.Cryptography;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Node.Control;

/// <summary>What a screen on the board shows, when it has changed.</summary>
internal sealed class LocalSummaryVerb(LocalSummarySource source, TimeProvider time)
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Coalesce = TimeSpan.FromMilliseconds(250);

    public ChannelVerb Verb => new(OpenChannel.VerbOneofCase.LocalSummary, IsLocalOnly: true, ServeAsync);

    private async Task<string> ServeAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        var query = open.LocalSummary;
        var wait = TimeSpan.FromMilliseconds(Math.Min(query.WaitMs, LongestWait.TotalMilliseconds));
        var began = time.GetTimestamp();
        var wake = new WakeSignal();
        using var subscription = source.Subscribe(wake.Set);
        byte[] answer;
        do
        {
            answer = JsonSerializer.SerializeToUtf8Bytes(await source.ReadAsync(ct), ContractsJson.Default.LocalSummary);
        }
        while (query.Known.Span.SequenceEqual(SHA256.HashData(answer)) && await ChangesAsync(wake, wait - time.GetElapsedTime(began), ct));

        await channel.SendAsync(answer, ct);
        return "";
    }

    private async Task<bool> ChangesAsync(WakeSignal wake, TimeSpan longest, CancellationToken ct)
    {
        if (longest <= TimeSpan.Zero || !await wake.WaitAsync(longest, time, ct))
        {
            return false;
        }

        await Task.Delay(Coalesce, time, ct);
        return true;
    }
}
