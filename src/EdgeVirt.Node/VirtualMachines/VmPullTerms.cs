using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Images.Registries;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>Credentials for the images of a machine.</summary>
internal static class VmPullTerms
{
    /// <summary>Never fails: a Secret that is missing or no use is passed over, and told of when the pull fails.</summary>
    public static PullTerms Of(VirtualMachineSpec spec, NodeDocument document)
    {
        List<DockerConfig> configs = [];
        List<string> problems = [];
        foreach (var name in (spec.ImagePullSecrets ?? []).Select(secret => secret.Name))
        {
            if (document.Secrets.FirstOrDefault(secret => secret.Name == name) is not { } found)
            {
                problems.Add($"Secret '{name}' of imagePullSecrets does not exist; apply it");
            }
            else if (!found.Data.TryGetValue(DockerConfig.Key, out var json))
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

        return new PullTerms { Keychain = new RegistryKeychain(configs), TakesArtifacts = true, Problem = problems.Count == 0 ? null : string.Join("; ", problems) };
    }
}
