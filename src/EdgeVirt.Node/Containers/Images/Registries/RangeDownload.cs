using System.Net;
using EdgeVirt.Node.Containers.Images.Deltas;
using Polly;

namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>
/// Fetches ranges of a layer, one request each: few registries answer several ranges at once. What arrived before a cut is kept and
/// not asked for again, here and after a restart.
/// </summary>
internal sealed class RangeDownload(RegistryClient client, DownloadTools tools, ResiliencePipeline retry, PullBudget budget)
{
    /// <exception cref="NoDeltaException">The registry gives layers whole only.</exception>
    /// <exception cref="ImagePullException">The registry cannot be reached, or the disk is full.</exception>
    public async Task RunAsync(Descriptor layer, IReadOnlyList<ByteRange> ranges, RangeSpool spool, Action<int> progress, CancellationToken ct)
    {
        tools.CheckDisk(spool.MissingBytes(ranges));
        foreach (var range in ranges)
        {
            // As with whole layers: who brings something each time is asked for the rest at once, only standstill waits and is counted.
            while (spool.Missing(range).Cast<ByteRange?>().FirstOrDefault() is { } part)
            {
                await retry.ExecuteAsync(async token =>
                {
                    var came = 0L;
                    try
                    {
                        await AttemptAsync(layer, part, spool, bytes => progress(Counted(bytes, ref came)), token);
                    }
                    catch (ImagePullException cut) when (cut.IsPassing && came > 0)
                    {
                        // The next round asks for the rest.
                    }
                }, ct);
            }
        }
    }

    private static int Counted(int bytes, ref long came)
    {
        came += bytes;
        return bytes;
    }

    private async Task AttemptAsync(Descriptor layer, ByteRange part, RangeSpool spool, Action<int> progress, CancellationToken ct)
    {
        using var response = await client.GetPartAsync($"blobs/{layer.Digest}", part.Start, part.End - 1, ct);
        if (response.StatusCode != HttpStatusCode.PartialContent || response.Content.Headers.ContentRange is not { } given || given.From != part.Start || given.To >= part.End)
        {
            throw new NoDeltaException($"its registry gives no parts of layers (it answered {(int)response.StatusCode} to a Range request)");
        }

        var at = part.Start;
        try
        {
            await MeteredBody.CopyAsync(response.Content, tools, budget, bytes =>
            {
                if (bytes.Length > part.End - at)
                {
                    throw new NoDeltaException("its registry gives more than the part that it was asked for");
                }

                Store(spool, at, bytes.Span, part.End - at);
                at += bytes.Length;
                progress(bytes.Length);
            }, ct);
        }
        catch (Exception cut) when (RegistryClient.IsConnection(cut, ct))
        {
            throw client.Unreachable(cut);
        }

        if (at == part.Start)
        {
            throw new NoDeltaException("its registry gives an empty part");
        }
    }

    private static void Store(RangeSpool spool, long at, ReadOnlySpan<byte> bytes, long rest)
    {
        try
        {
            spool.Append(at, bytes);
        }
        catch (IOException full)
        {
            throw NodeFault.Of(full, rest) ?? new ImagePullException($"A part of a layer cannot be stored ({full.Message}); check the disk.", full) { IsLocal = true };
        }
    }
}
