using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>Pulls on a workload's terms: what they cost is kept over attempts, and a refusal stands without asking the registry again.</summary>
internal sealed partial class ImageStore
{
    private static readonly TimeSpan s_refusalStands = TimeSpan.FromHours(6);

    /// <summary>By digest of a manifest: images whose own bytes are wrong. In memory alone, as a newer agent may know better.</summary>
    private readonly Dictionary<string, (DateTimeOffset Until, ImageRefusedException Refusal)> _refusedImages = [];

    private readonly Dictionary<string, (PullTerms Terms, DateTimeOffset Until, ImagePullException Refusal)> _refusedTerms = [];

    private async Task RunAsync(
        ImagePull pull, ImageReference reference, (string Digest, byte[] Bytes) manifest, PullTerms terms, PullBudget budget, CancellationToken ct)
    {
        IReadOnlyList<string>? chain = null;
        try
        {
            await pull.RunAsync(reference, manifest.Digest, manifest.Bytes, Pins, missing => budget.Begin(_blobs.SpentOn(manifest.Digest), missing), ct);
            _blobs.SetSpent(manifest.Digest, 0);
            SetUnfinished(reference, null);
        }
        catch (Exception failed)
        {
            SetUnfinished(reference, failed is ImageRefusedException ? null : chain);
            if (budget.IsLimited)
            {
                _blobs.SetSpent(manifest.Digest, failed is ImageRefusedException ? 0 : budget.SpentBytes);
            }

            if (failed is ImageRefusedException { IsProven: true } broken)
            {
                lock (_files)
                {
                    _refusedImages[manifest.Digest] = (_time.GetUtcNow() + s_refusalStands, broken);
                }
            }

            if (failed is ImagePullException refusal && (refusal.IsOverBudget || refusal.IsDeltaUnavailable))
            {
                lock (_files)
                {
                    _refusedTerms[reference.ToString()] = (terms, _time.GetUtcNow() + s_refusalStands, refusal);
                }
            }

            throw;
        }

        void Pins(IReadOnlyList<string> chainIds)
        {
            // First its own layers alone, later those too that it is put together from.
            chain ??= chainIds;
            PinOnly(chainIds);
        }
    }

    /// <summary>Layers are not fetched again of an image that was found broken.</summary>
    private void RefuseAgain(string manifestDigest)
    {
        lock (_files)
        {
            foreach (var stale in _refusedImages.Where(refused => refused.Value.Until <= _time.GetUtcNow()).Select(refused => refused.Key).ToList())
            {
                _refusedImages.Remove(stale);
            }

            if (_refusedImages.TryGetValue(manifestDigest, out var refused))
            {
                throw new ImageRefusedException(refused.Refusal.Reason, refused.Refusal.Message, refused.Refusal);
            }
        }
    }

    /// <summary>Even the manifest costs bytes: the same terms are not tried again and again.</summary>
    private void RefuseAgain(ImageReference reference, PullTerms terms)
    {
        lock (_files)
        {
            if (!_refusedTerms.TryGetValue(reference.ToString(), out var refused))
            {
                return;
            }

            if (refused.Terms.MaxBytes == terms.MaxBytes && refused.Terms.Delta == terms.Delta && _time.GetUtcNow() < refused.Until)
            {
                throw new ImagePullException(refused.Refusal.Message)
                {
                    IsLocal = true, IsOverBudget = refused.Refusal.IsOverBudget, IsDeltaUnavailable = refused.Refusal.IsDeltaUnavailable,
                };
            }

            _refusedTerms.Remove(reference.ToString());
        }
    }
}
