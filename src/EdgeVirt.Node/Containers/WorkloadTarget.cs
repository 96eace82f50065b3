using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers;

/// <summary>What one workload is to be on this node, with everything it refers to.</summary>
internal sealed class WorkloadTarget
{
    private readonly (bool Secret, string Name)[] names;

    private WorkloadTarget(string node, DesiredWorkload workload, References references)
    {
        (bool, string)[] inside = [.. FixedNamesOf(workload.Template).Distinct().Order()];
        names = [.. inside.Concat(FileNamesOf(workload.Template, _ => true)).Concat((workload.Template.ImagePullSecrets ?? []).Select(secret => (true, secret.Name))).Distinct()];
        Node = node;
        Workload = workload;
        References = references;
        Hash = HashOf(workload.Template, inside, references);
        SetKey = workload.Strategy?.Set is { } set ? $"set/{set}" : $"workload/{workload.Name}";
    }

    public string Node { get; }

    public DesiredWorkload Workload { get; }

    public References References { get; }

    /// <summary>
    /// Changes with the template and with the contents of the Configs and Secrets that containers are started with. Files that
    /// change under a running container are no part of it, nor is how images are pulled: a new password for a registry restarts nothing.
    /// </summary>
    public string Hash { get; }

    /// <summary>The set that it is switched with; where it names none, its own.</summary>
    public string SetKey { get; }

    public PodSpec Template => Workload.Template;

    public IReadOnlyList<PublishedPort> Ports => Template.HostNetwork
        ? []
        : [.. Template.Containers.SelectMany(container => container.Ports ?? [])
            .Where(port => port.HostPort is not null)
            .Select(port => new PublishedPort(port.HostPort!.Value, port.Port, port.Protocol, port.HostAddress()))];

    public int GraceSeconds => Template.TerminationGracePeriodSeconds ?? 30;

    /// <summary>Makes the target; <paramref name="before"/> is used again where nothing that counts has changed.</summary>
    public static WorkloadTarget Of(string node, DesiredWorkload workload, References references, WorkloadTarget? before)
    {
        var same = before is not null && before.Node == node && before.Workload.Uid == workload.Uid &&
            before.Workload.Generation == workload.Generation && before.RefersToSame(references);
        return same ? before! : new WorkloadTarget(node, workload, references);
    }

    /// <summary>Whether it needs that Secret or Config.</summary>
    public bool Names(bool secret, string name) => names.Contains((secret, name));

    private bool RefersToSame(References now) =>
        ReferenceEquals(References, now) || Array.TrueForAll(names, name => References.HashOf(name.Secret, name.Name) == now.HashOf(name.Secret, name.Name));

    private static string HashOf(PodSpec template, (bool Secret, string Name)[] names, References references)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var spec = new WorkloadSpec { Template = template with { ImagePullSecrets = null, ImagePull = null, StartAfter = null } };
        hash.AppendData(JsonSerializer.SerializeToUtf8Bytes(spec, ContractsJson.Default.WorkloadSpec));
        foreach (var (secret, name) in names)
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"\n{(secret ? "secret" : "config")} {name} {references.HashOf(secret, name)}"));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
    }

    // What a subPath shows stays as it was when the container started.
    private static IEnumerable<(bool Secret, string Name)> FixedNamesOf(PodSpec template)
    {
        var bySubPath = template.AllContainers().SelectMany(container => container.VolumeMounts ?? []).Where(mount => mount.SubPath is not null).Select(mount => mount.Name).ToHashSet();
        return FileNamesOf(template, bySubPath.Contains).Concat(VariableNamesOf(template));
    }

    private static IEnumerable<(bool Secret, string Name)> FileNamesOf(PodSpec template, Func<string, bool> isMeant)
    {
        foreach (var volume in (template.Volumes ?? []).Where(volume => isMeant(volume.Name)))
        {
            if (volume.Secret is { } secret)
            {
                yield return (true, secret.SecretName);
            }
            else if (volume.Config is { } config)
            {
                yield return (false, config.Name);
            }
        }
    }

    private static IEnumerable<(bool Secret, string Name)> VariableNamesOf(PodSpec template)
    {
        foreach (var source in template.AllContainers().SelectMany(container => container.Env ?? []).Select(env => env.ValueFrom))
        {
            if (source?.SecretKeyRef is { } secret)
            {
                yield return (true, secret.Name);
            }
            else if (source?.ConfigKeyRef is { } config)
            {
                yield return (false, config.Name);
            }
        }
    }
}

/// <summary>The Configs and Secrets of one document.</summary>
internal sealed class References(NodeDocument document)
{
    private readonly Dictionary<string, DesiredConfig> configs = document.Configs.ToDictionary(config => config.Name);
    private readonly Dictionary<string, DesiredSecret> secrets = document.Secrets.ToDictionary(secret => secret.Name);
    private readonly Dictionary<(bool, string), string> hashes = [];

    /// <summary>A Config's values; null: there is none of that name.</summary>
    public IReadOnlyDictionary<string, string>? Config(string name) => configs.GetValueOrDefault(name)?.Data;

    /// <summary>A Secret's values; null: there is none of that name.</summary>
    public IReadOnlyDictionary<string, byte[]>? Secret(string name) => secrets.GetValueOrDefault(name)?.Data;

    /// <summary>Of the contents; empty where there is none of that name. Called by one thread at a time.</summary>
    public string HashOf(bool secret, string name)
    {
        if (hashes.TryGetValue((secret, name), out var known))
        {
            return known;
        }

        var data = secret
            ? Secret(name)?.Select(pair => (pair.Key, Value: pair.Value))
            : Config(name)?.Select(pair => (pair.Key, Value: Encoding.UTF8.GetBytes(pair.Value)));
        if (data is null)
        {
            return hashes[(secret, name)] = "";
        }

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (key, value) in data.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{key}\n{value.Length}\n"));
            hash.AppendData(value);
        }

        return hashes[(secret, name)] = Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
