using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Images.Registries;

namespace EdgeVirt.Node.Containers;

/// <summary>What a workload's spec says about pulling, with its Secrets read.</summary>
internal static class WorkloadPullTerms
{
    /// <summary>Never fails: as in Kubernetes, a Secret that is missing or no use is passed over, and told of when the pull fails.</summary>
    public static PullTerms Of(WorkloadTarget target)
    {
        List<DockerConfig> configs = [];
        List<string> problems = [];
        foreach (var name in (target.Template.ImagePullSecrets ?? []).Select(secret => secret.Name))
        {
            if (target.References.Secret(name) is not { } secret)
            {
                problems.Add($"Secret '{name}' of imagePullSecrets does not exist; apply it");
            }
            else if (!secret.TryGetValue(DockerConfig.Key, out var json))
            {
                problems.Add($"Secret '{name}' of imagePullSecrets has no key '{DockerConfig.Key}'");
            }
            else if (DockerConfig.TryRead(json, out var config, out var problem))
            {
                configs.Add(config);
            }
            else
            {
                problems.Add($"Secret '{name}' of imagePullSecrets: {problem}");
            }
        }

        return new PullTerms
        {
            Keychain = new RegistryKeychain(configs),
            MaxBytes = target.Template.ImagePull?.MaxBytes is { } most ? (long)most.Value : null,
            MaxUplinkCost = target.Template.ImagePull?.MaxUplinkCost,
            Delta = target.Template.ImagePull?.Delta ?? ImageDeltaPolicy.Preferred,
            Problem = problems.Count == 0 ? null : string.Join("; ", problems),
        };
    }
}
