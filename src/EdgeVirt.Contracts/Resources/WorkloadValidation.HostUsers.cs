namespace EdgeVirt.Contracts.Resources;

internal static partial class WorkloadValidation
{
    private const int MostOwnId = UserIds.PerWorkload - 1;

    private static void ValidateHostUsers(PodSpec pod, string path, Validation v)
    {
        if (pod.HostUsers != false)
        {
            return;
        }

        if (pod.HostNetwork)
        {
            v.Add($"{path}.hostUsers", "must not be false with hostNetwork: the node's network belongs to the node's users");
        }

        Id(pod.SecurityContext?.RunAsUser, $"{path}.securityContext.runAsUser", v);
        Id(pod.SecurityContext?.RunAsGroup, $"{path}.securityContext.runAsGroup", v);
        Id(pod.SecurityContext?.FsGroup, $"{path}.securityContext.fsGroup", v);
        for (var i = 0; i < (pod.SecurityContext?.SupplementalGroups?.Count ?? 0); i++)
        {
            Id(pod.SecurityContext!.SupplementalGroups![i], $"{path}.securityContext.supplementalGroups[{i}]", v);
        }

        ValidateHostUsers(pod.InitContainers ?? [], $"{path}.initContainers", v);
        ValidateHostUsers(pod.Containers, $"{path}.containers", v);
    }

    private static void ValidateHostUsers(IReadOnlyList<ContainerSpec> containers, string path, Validation v)
    {
        for (var i = 0; i < containers.Count; i++)
        {
            if (containers[i].Devices is { Count: > 0 })
            {
                v.Add($"{path}[{i}].devices", "are not for hostUsers: false: they belong to the node's users");
            }

            if (containers[i].SecurityContext is { Privileged: true })
            {
                v.Add($"{path}[{i}].securityContext.privileged", "is not for hostUsers: false: it would have no rights on the node");
            }

            Id(containers[i].SecurityContext?.RunAsUser, $"{path}[{i}].securityContext.runAsUser", v);
            Id(containers[i].SecurityContext?.RunAsGroup, $"{path}[{i}].securityContext.runAsGroup", v);
        }
    }

    private static void Id(int? id, string path, Validation v)
    {
        if (id > MostOwnId)
        {
            v.Add(path, $"must be at most {MostOwnId} with hostUsers: false");
        }
    }
}

/// <summary>Ids of workloads with user namespaces of their own.</summary>
public static class UserIds
{
    /// <summary>How many ids each has: 0 to 65535.</summary>
    public const int PerWorkload = 65536;
}
