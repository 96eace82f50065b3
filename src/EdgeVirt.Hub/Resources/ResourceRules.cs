using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Hub.Resources;

/// <summary>What an operator may not state, beyond what a manifest alone can show to be wrong.</summary>
internal static class ResourceRules
{
    private static readonly TimeSpan DefaultClaimLife = TimeSpan.FromHours(24);

    /// <summary>Faults of turning <paramref name="current"/> (null: nothing there) into <paramref name="wanted"/>.</summary>
    public static IEnumerable<FieldError> Check(Resource wanted, Resource? current)
    {
        var document = $"{wanted.Kind}/{wanted.Metadata.Name}";
        if (wanted.Kind == ResourceKind.Node.Name && current is null)
        {
            yield return new FieldError(
                0, "metadata.name", "is not a node of this hub; nodes are made by enrolling a board (edgevirt node claim create)", document);
        }
        else if (wanted.Kind == ResourceKind.BoardClaim.Name && current is not null)
        {
            foreach (var (field, reason) in CheckClaim(wanted.SpecOf<BoardClaimSpec>(), current))
            {
                yield return new FieldError(0, field, reason, document);
            }
        }
    }

    // A token is out in the field by now: what it allows may shrink, never grow.
    private static IEnumerable<(string Field, string Reason)> CheckClaim(BoardClaimSpec wanted, Resource current)
    {
        var spec = current.SpecOf<BoardClaimSpec>();
        if (spec.Revoked && !wanted.Revoked)
        {
            yield return ("spec.revoked", "cannot be taken back; make a new BoardClaim");
        }

        if (wanted.MaxUses > spec.MaxUses)
        {
            yield return ("spec.maxUses", $"can only be lowered (from {spec.MaxUses}); make a new BoardClaim for more boards");
        }

        if (EndOf(wanted) > EndOf(spec))
        {
            yield return ("spec.expiresAt", $"can only be brought forward (from {EndOf(spec):O}); make a new BoardClaim");
        }

        DateTimeOffset? EndOf(BoardClaimSpec claim) => claim.ExpiresAt ?? current.Metadata.CreationTimestamp + DefaultClaimLife;
    }
}
