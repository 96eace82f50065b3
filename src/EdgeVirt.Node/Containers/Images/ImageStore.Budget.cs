using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>Pulls within a budget: what they cost is kept over attempts, and a refusal stands without asking the registry again.</summary>
internal sealed partial class ImageStore
{
    private static readonly TimeSpan s_refusalStands = TimeSpan.FromHours(6);

    private readonly Dictionary<string, (long? MaxBytes, DateTimeOffset Until, ImagePullException Refusal)> _overBudget = [];

    private async Task RunAsync(
        ImagePull pull, ImageReference reference, (string Digest, byte[] Bytes) manifest, PullTerms terms, PullBudget budget, CancellationToken ct)
    {
        try
        {
            await pull.RunAsync(reference, manifest.Digest, manifest.Bytes, Pin, missing => budget.Begin(_blobs.SpentOn(manifest.Digest), missing), ct);
            _blobs.SetSpent(manifest.Digest, 0);
        }
        catch (Exception failed)
        {
            if (budget.IsLimited)
            {
                _blobs.SetSpent(manifest.Digest, failed is ImageRefusedException ? 0 : budget.SpentBytes);
            }

            if (failed is ImagePullException { IsOverBudget: true } refusal)
            {
                lock (_files)
                {
                    _overBudget[reference.ToString()] = (terms.MaxBytes, _time.GetUtcNow() + s_refusalStands, refusal);
                }
            }

            throw;
        }
    }

    /// <summary>Even the manifest costs bytes: the same budget is not tried again and again.</summary>
    private void RefuseAgain(ImageReference reference, PullTerms terms)
    {
        lock (_files)
        {
            if (!_overBudget.TryGetValue(reference.ToString(), out var refused))
            {
                return;
            }

            if (refused.MaxBytes == terms.MaxBytes && _time.GetUtcNow() < refused.Until)
            {
                throw new ImagePullException(refused.Refusal.Message) { IsLocal = true, IsOverBudget = true };
            }

            _overBudget.Remove(reference.ToString());
        }
    }
}
