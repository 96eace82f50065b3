using System.Security.Cryptography;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Resources;
using EdgeVirt.Hub.Storage;
using Microsoft.Data.Sqlite;

namespace EdgeVirt.Hub.Enrollment;

/// <summary>What became of an attempt to use a claim token.</summary>
internal enum RedemptionOutcome
{
    /// <summary>The key is the node's now.</summary>
    Accepted,

    /// <summary>No such claim, or another secret.</summary>
    Wrong,

    /// <summary>As often used as the claim allows.</summary>
    Used,

    /// <summary>Past its end.</summary>
    Expired,

    /// <summary>The claim was revoked, or the node that this key had become through it.</summary>
    Revoked,

    /// <summary>Another key has the name, or this key another name.</summary>
    NameTaken,
}

/// <summary>Outcome and, where accepted, the node.</summary>
internal sealed record Redemption(RedemptionOutcome Outcome, string Detail, string Node = "", Resource? Claim = null, long Uses = 0, bool Repeated = false);

/// <summary>Tokens of BoardClaims: issued through the API, redeemed by boards. Only hashes of them are kept.</summary>
internal sealed class ClaimTokens(
    HubDatabase database, ResourceStore resources, CertificateAuthority authority, NodeIdentities identities, TimeProvider time)
{
    private static readonly TimeSpan DefaultValidity = TimeSpan.FromHours(24);

    /// <summary>
    /// A new token for a claim; the one before it ends. Null if there is no such claim. <paramref name="record"/> may write
    /// about it, with its end, in the same transaction.
    /// </summary>
    /// <exception cref="ConflictException">The claim is revoked, expired or used up.</exception>
    public async Task<ClaimTokenIssued?> IssueAsync(string claim, CancellationToken ct, Action<SqliteConnection, DateTimeOffset>? record = null)
    {
        if (await resources.GetAsync(ResourceKind.BoardClaim, claim, ct) is not { } resource)
        {
            return null;
        }

        var spec = resource.SpecOf<BoardClaimSpec>();
        var end = EndOf(resource, spec);
        if (spec.Revoked)
        {
            throw new ConflictException($"BoardClaim/{claim} is revoked.", "Make another claim.");
        }

        if (end <= time.GetUtcNow())
        {
            throw new ConflictException($"BoardClaim/{claim} ended at {end:u}.", "Set spec.expiresAt to a later time, or make another claim.");
        }

        var token = ClaimToken.Create(claim, authority.AuthorityDer);
        await database.WriteAsync(
            (connection, _) =>
            {
                EnrollmentTables.PutToken(connection, resource.Metadata.Uid!, token.SecretHash());
                record?.Invoke(connection, end);
                return true;
            },
            ct);
        return new ClaimTokenIssued(token.Reveal(), end);
    }

    /// <summary>
    /// Makes a key a node. The use is counted in the transaction that writes the identity; the same key with the same
    /// claim again, because the answer was lost, gets the same answer and is not counted.
    /// </summary>
    public async Task<Redemption> RedeemAsync(ClaimToken token, byte[] keyHash, string requestedName, CancellationToken ct)
    {
        var claim = await resources.GetAsync(ResourceKind.BoardClaim, token.Claim, ct);
        IdentityRow? written = null;
        var redemption = await database.WriteAsync((connection, _) => Redeem(connection, token, claim, keyHash, requestedName, out written), ct);
        if (written is not null)
        {
            identities.Know(written);
        }

        return redemption;
    }

    private Redemption Redeem(
        SqliteConnection connection, ClaimToken token, Resource? claim, byte[] keyHash, string requestedName, out IdentityRow? written)
    {
        written = null;
        var stored = claim is null ? null : EnrollmentTables.Token(connection, claim.Metadata.Uid!);
        var matches = CryptographicOperations.FixedTimeEquals(stored?.SecretHash ?? new byte[SHA256.HashSizeInBytes], token.SecretHash());
        if (claim is null || stored is null || !matches)
        {
            return new Redemption(RedemptionOutcome.Wrong, $"there is no claim '{token.Claim}' with this token");
        }

        var spec = claim.SpecOf<BoardClaimSpec>();
        var uid = claim.Metadata.Uid!;
        if (spec.Revoked)
        {
            return new Redemption(RedemptionOutcome.Revoked, $"claim '{token.Claim}' is revoked");
        }

        var same = EnrollmentTables.ByKey(connection, keyHash);
        if (same is { Revoked: true } && same.ClaimUid == uid)
        {
            return new Redemption(RedemptionOutcome.Revoked, $"the key was node '{same.Node}' by this claim, and that node was deleted");
        }

        if (same is { Revoked: false } && requestedName.Length > 0 && requestedName != same.Node)
        {
            return new Redemption(RedemptionOutcome.NameTaken, $"the key is node '{same.Node}' already and cannot be '{requestedName}' too");
        }

        if (same is { Revoked: false } && same.ClaimUid == uid)
        {
            return new Redemption(RedemptionOutcome.Accepted, "again", same.Node, claim, stored.Uses, Repeated: true);
        }

        if (EndOf(claim, spec) <= time.GetUtcNow())
        {
            return new Redemption(RedemptionOutcome.Expired, $"claim '{token.Claim}' ended at {EndOf(claim, spec):u}");
        }

        if (stored.Uses >= spec.MaxUses)
        {
            return new Redemption(RedemptionOutcome.Used, $"claim '{token.Claim}' was used {stored.Uses} of {spec.MaxUses} times");
        }

        var node = same is { Revoked: false } ? same.Node : NameFor(connection, requestedName, keyHash);
        if (EnrollmentTables.ByNode(connection, node) is { Revoked: false } holder && !holder.KeyHash.AsSpan().SequenceEqual(keyHash))
        {
            return new Redemption(RedemptionOutcome.NameTaken, $"another key is node '{node}'");
        }

        written = new IdentityRow(node, keyHash, uid, Revoked: false);
        EnrollmentTables.Put(connection, written, time.GetUtcNow());
        return new Redemption(RedemptionOutcome.Accepted, "new", node, claim, EnrollmentTables.CountUse(connection, uid));
    }

    private static string NameFor(SqliteConnection connection, string requestedName, byte[] keyHash)
    {
        if (requestedName.Length > 0)
        {
            return requestedName;
        }

        var hash = Convert.ToHexStringLower(keyHash);
        var name = $"node-{hash[..8]}";
        return EnrollmentTables.ByNode(connection, name) is null or { Revoked: true } ? name : $"node-{hash[..24]}";
    }

    private DateTimeOffset EndOf(Resource claim, BoardClaimSpec spec) =>
        spec.ExpiresAt ?? (claim.Metadata.CreationTimestamp ?? time.GetUtcNow()) + DefaultValidity;
}
