using System.Security.Cryptography;
using System.Text.Json;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Flash.Cards;

/// <summary>Makes claims at the hub, with the token that is shown once.</summary>
internal static class ClaimIssuer
{
    private const int SuffixLength = 7;

    /// <summary>A claim of this name, which there is not yet, and its token.</summary>
    public static async Task<ClaimTokenIssued> IssueAsync(HubApi hub, string name, BoardClaimSpec spec, CancellationToken ct)
    {
        var claim = new Resource
        {
            Kind = ResourceKind.BoardClaim.Name,
            Metadata = new Metadata { Name = name },
            Spec = JsonSerializer.SerializeToElement(spec, ContractsJson.Default.BoardClaimSpec),
        };
        var path = HubPaths.Of(ResourceKind.BoardClaim, name);
        await hub.SendAsync(HttpMethod.Put, path, claim, ContractsJson.Default.Resource, ContractsJson.Default.Resource, ct);
        return await hub.PostAsync($"{path}/token", ContractsJson.Default.ClaimTokenIssued, ct);
    }

    /// <summary>A name that no claim has yet, and that says whom it is for.</summary>
    public static string NameFor(string whom)
    {
        var stem = whom.Replace(' ', '-');
        stem = stem[..Math.Min(stem.Length, ResourceName.MaxLength - SuffixLength)].Trim('-');
        return $"{stem}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(3))}";
    }

    /// <summary>Where boards reach the hub, unless somebody says otherwise.</summary>
    public static string NodePortOf(HubApi hub) => $"{hub.Server.Host}:8444";
}
