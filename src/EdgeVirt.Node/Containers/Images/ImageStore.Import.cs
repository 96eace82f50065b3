using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images.Archives;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>Images that come by hand, on a stick for instance, and what is here.</summary>
internal sealed partial class ImageStore
{
    /// <summary>Takes in all images of an archive, or none: what was refused leaves nothing behind.</summary>
    /// <param name="path">Absolute: an OCI layout, plain or as a tar, or what <c>docker save</c> wrote.</param>
    /// <param name="name">What to call the only image in it; null: as the archive says.</param>
    /// <param name="ct">Gives up.</param>
    /// <returns>Digests of the manifests.</returns>
    /// <exception cref="ImageRefusedException">Something in it is not what it says it is.</exception>
    /// <exception cref="ImagePullException">It cannot be read or stored; the message says what to do.</exception>
    public Task<IReadOnlyList<string>> ImportAsync(string path, ImageReference? name, CancellationToken ct) =>
        WithRoomAsync(reference: null, () => ImportOnceAsync(path, name, ct), ct);

    private async Task<IReadOnlyList<string>> ImportOnceAsync(string path, ImageReference? name, CancellationToken ct)
    {
        using var archive = await ImageArchive.OpenAsync(path, _options.Platform, ct);
        var chosen = archive.Choose(name);
        await _pulls.WaitAsync(ct);
        List<ImagePull> pulls = [];
        List<(ImageReference Reference, string Digest)> done = [];
        try
        {
            foreach (var image in chosen)
            {
                var pull = new ImagePull(_options, archive.Source, _blobs, _layers, _time, _logger);
                pulls.Add(pull);
                var (digest, bytes) = await pull.ResolveAsync(image.Digest, ct);
                CheckNames(image, digest);
                if (Loaded(digest) is null)
                {
                    await pull.RunAsync(image.Names[0], digest, bytes, Pin, _ => { }, ct);
                }

                done.AddRange(image.Names.Select(reference => (reference, digest)));
            }

            foreach (var (reference, digest) in done)
            {
                Use(reference, digest);
                LogImported(_logger, reference, digest, path);
            }

            return [.. done.Select(image => image.Digest).Distinct()];
        }
        catch
        {
            pulls.ForEach(pull => pull.GiveBack());
            throw;
        }
        finally
        {
            lock (_files)
            {
                _pinned.Clear();
            }

            _pulls.Release();
        }
    }

    /// <summary>What is here, what it takes, and who uses it.</summary>
    /// <param name="usedBy">Names of workloads by the digest of an image that they use.</param>
    public LocalImageList List(ILookup<string, string> usedBy)
    {
        lock (_files)
        {
            return new ImageAccounts(_blobs, _references, _layers).Read(usedBy);
        }
    }

    /// <summary>A name with a digest binds: it must be that of the manifest, or of the index that led to it.</summary>
    private static void CheckNames(ArchivedImage image, string digest)
    {
        if (image.Names.FirstOrDefault(name => name.Digest is { } bound && bound != digest && bound != image.Digest) is { } other)
        {
            throw new ImageRefusedException(ImageRefusedReason.DigestMismatch, $"Image refused: {other} is to be imported, but the archive's image is {digest}.");
        }
    }
}
