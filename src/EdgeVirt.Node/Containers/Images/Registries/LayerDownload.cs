using System.Buffers;
using System.Net;
using System.Security.Cryptography;
using Polly;

namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>
/// Fetches layers into the blob store. What arrived stays in a partial file, over cut connections, restarts
/// and reboots, and the next attempt asks for the rest by HTTP Range.
/// </summary>
internal sealed class LayerDownload(RegistryClient client, DownloadTools tools, ResiliencePipeline retry, PullBudget budget)
{
    private const int BufferBytes = 64 << 10;

    /// <summary>More than the headers of the request that it takes to go on.</summary>
    private const int LeastGain = 4 << 10;

    /// <exception cref="ImageRefusedException">The registry's bytes are not those of the descriptor.</exception>
    /// <exception cref="ImagePullException">The registry cannot be reached, or not for long enough to gain a byte.</exception>
    public async Task RunAsync(Descriptor layer, Action<long> progress, CancellationToken ct)
    {
        var digest = layer.Digest!;
        var blobs = tools.Blobs;
        if (blobs.Has(digest))
        {
            progress(layer.Size);
            return;
        }

        await using var partial = new FileStream(blobs.PartialPathOf(digest), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        try
        {
            var resumed = await ReadBackAsync(partial, layer, hash, ct);
            tools.CheckDisk(layer.Size - partial.Length);
            await FillAsync(partial, layer, hash, progress, ct);
            var actual = Digest.FromHash(hash.GetHashAndReset());
            if (actual != digest && resumed)
            {
                // What lay on the disk may have suffered in a power cut: once more, from nothing.
                partial.SetLength(0);
                await FillAsync(partial, layer, hash, progress, ct);
                actual = Digest.FromHash(hash.GetHashAndReset());
            }

            if (actual != digest)
            {
                throw new ImageRefusedException(ImageRefusedReason.DigestMismatch, $"The registry gave {actual} for layer {digest}.");
            }
        }
        catch (ImageRefusedException)
        {
            blobs.Remove(digest);
            throw;
        }

        blobs.Commit(digest, partial);
    }

    /// <summary>Hashes what an earlier attempt left; whether there was something.</summary>
    private static async Task<bool> ReadBackAsync(FileStream partial, Descriptor layer, IncrementalHash hash, CancellationToken ct)
    {
        if (partial.Length > layer.Size)
        {
            partial.SetLength(0);
        }

        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            for (var read = await partial.ReadAsync(buffer, ct); read > 0; read = await partial.ReadAsync(buffer, ct))
            {
                hash.AppendData(buffer, 0, read);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return partial.Length > 0;
    }

    /// <summary>
    /// Attempts, as long as something is gained: a link that is cut all the time but brings a piece each time is bad, not dead, and
    /// is asked for the rest at once. Only attempts in a row that gain next to nothing wait, and are counted.
    /// </summary>
    private async Task FillAsync(FileStream partial, Descriptor layer, IncrementalHash hash, Action<long> progress, CancellationToken ct)
    {
        while (partial.Length < layer.Size)
        {
            await retry.ExecuteAsync(async token =>
            {
                var before = partial.Length;
                try
                {
                    await AttemptAsync(partial, layer, hash, progress, token);
                }
                catch (ImagePullException cut) when (cut.IsPassing && partial.Length - before >= LeastGain)
                {
                    // The next round asks for the rest.
                }
            }, ct);
        }
    }

    private async Task AttemptAsync(FileStream partial, Descriptor layer, IncrementalHash hash, Action<long> progress, CancellationToken ct)
    {
        using var response = await client.GetAsync($"blobs/{layer.Digest}", [], partial.Length, ct);
        if (response.StatusCode != HttpStatusCode.PartialContent || response.Content.Headers.ContentRange?.From != partial.Length)
        {
            // The registry does not resume (200), or answers for another place.
            partial.SetLength(0);
            _ = hash.GetHashAndReset();
            if (response.StatusCode != HttpStatusCode.OK)
            {
                throw new ImagePullException($"The registry cannot resume layer {layer.Digest}; it is fetched from its beginning.") { IsPassing = true };
            }
        }

        partial.Position = partial.Length;
        if (response.Content.Headers.ContentLength is { } length && partial.Length + length != layer.Size)
        {
            throw WrongSize(layer, partial.Length + length);
        }

        try
        {
            await CopyAsync(response, partial, layer, hash, progress, ct);
        }
        catch (Exception cut) when (RegistryClient.IsConnection(cut, ct))
        {
            throw client.Unreachable(cut);
        }
    }

    private async Task CopyAsync(HttpResponseMessage response, FileStream partial, Descriptor layer, IncrementalHash hash, Action<long> progress, CancellationToken ct)
    {
        await MeteredBody.CopyAsync(response.Content, tools, budget, bytes =>
        {
            if (partial.Length + bytes.Length > layer.Size)
            {
                throw WrongSize(layer, partial.Length + bytes.Length);
            }

            Store(partial, bytes.Span, layer.Size - partial.Length);
            hash.AppendData(bytes.Span);
            progress(partial.Length);
        }, ct);
        if (partial.Length != layer.Size)
        {
            throw WrongSize(layer, partial.Length);
        }
    }

    private static void Store(FileStream partial, ReadOnlySpan<byte> bytes, long rest)
    {
        try
        {
            partial.Write(bytes);
        }
        catch (IOException full)
        {
            throw NodeFault.Of(full, rest) ?? new ImagePullException($"A layer cannot be stored ({full.Message}); check the disk.", full) { IsLocal = true };
        }
    }

    private static ImageRefusedException WrongSize(Descriptor layer, long actual) =>
        new(ImageRefusedReason.SizeMismatch, $"Layer {layer.Digest} comes with {actual} bytes from the registry, its manifest says {layer.Size}.");
}
