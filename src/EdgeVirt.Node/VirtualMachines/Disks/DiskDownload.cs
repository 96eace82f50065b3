using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images.Registries;

namespace EdgeVirt.Node.VirtualMachines.Disks;

/// <summary>
/// Fetches disks from web servers. What arrived before a cut is kept and not asked for again, here and after a restart; the
/// checksum proves the whole, so that who sent which part does not matter.
/// </summary>
/// <param name="http">Follows no redirection from https to http.</param>
/// <param name="disks">Where they go.</param>
/// <param name="rate">Bounds all downloads of the node together.</param>
/// <param name="time">For timeouts.</param>
internal sealed class DiskDownload(HttpClient http, BaseDisks disks, ByteRate rate, TimeProvider time)
{
    private const int BufferBytes = 64 << 10;
    private const long CheckInterval = 64 << 20;
    private static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, SemaphoreSlim> gates = new();

    /// <summary>The disk, fetched as far as it is not here. One attempt: the caller tries again.</summary>
    /// <exception cref="DiskRefusedException">It is not what the checksum says, or not to be used.</exception>
    /// <exception cref="DiskUnavailableException">The server cannot be reached or does not give it, or there is no room.</exception>
    public async Task<BaseDisk> EnsureAsync(DiskUrlSource source, CancellationToken ct)
    {
        var sha256 = source.Sha256.ToLowerInvariant();
        // Two machines may want the same.
        var gate = gates.GetOrAdd(sha256, _ => new SemaphoreSlim(1, 1));
        await gate.WaitAsync(ct);
        try
        {
            return await FetchAsync(source, sha256, ct);
        }
        finally
        {
            gate.Release();
        }
    }

    private async Task<BaseDisk> FetchAsync(DiskUrlSource source, string sha256, CancellationToken ct)
    {
        if (disks.Find(sha256) is { } known)
        {
            return known;
        }

        var part = disks.PartOf(sha256);
        var has = File.Exists(part) ? new FileInfo(part).Length : 0;
        using var idle = new CancellationTokenSource(IdleTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, idle.Token);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, source.Location);
            if (has > 0)
            {
                request.Headers.Range = new RangeHeaderValue(has, null);
            }

            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            // All of it may be here already: the server has no byte beyond.
            if (response.StatusCode != HttpStatusCode.RequestedRangeNotSatisfiable || has == 0)
            {
                await TakeAsync(source, response, part, has, idle, either.Token);
            }
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new DiskUnavailableException($"{source.Location} gives nothing for {IdleTimeout.TotalSeconds:0} s; what came is kept", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new DiskUnavailableException($"{source.Location} cannot be fetched: {e.Message}; what came is kept", e);
        }

        return await disks.AddPartAsync(sha256, ct);
    }

    private async Task TakeAsync(DiskUrlSource source, HttpResponseMessage response, string part, long has, CancellationTokenSource idle, CancellationToken ct)
    {
        var from = response.StatusCode switch
        {
            HttpStatusCode.PartialContent when response.Content.Headers.ContentRange?.From == has => has,
            // It gives the whole, whatever was asked for.
            HttpStatusCode.OK => 0,
            _ => throw new DiskUnavailableException($"{source.Location} answers {(int)response.StatusCode}; is it the right address?"),
        };
        if (response.Content.Headers.ContentLength is { } length)
        {
            disks.CheckRoom(length);
        }

        await using var file = new FileStream(part, new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
        file.SetLength(from);
        file.Position = from;
        await using var body = await response.Content.ReadAsStreamAsync(ct);
        var buffer = new byte[rate.Piece(BufferBytes)];
        var sinceCheck = 0L;
        for (int read; (read = await body.ReadAsync(buffer, ct)) > 0;)
        {
            idle.CancelAfter(Timeout.InfiniteTimeSpan);
            await file.WriteAsync(buffer.AsMemory(0, read), ct);
            await rate.PassAsync(read, ct);
            // A server need not say how long it is.
            if ((sinceCheck += read) > CheckInterval)
            {
                disks.CheckRoom(CheckInterval);
                sinceCheck = 0;
            }

            idle.CancelAfter(IdleTimeout);
        }
    }
}
