namespace EdgeVirt.Contracts.Resources;

/// <summary>The rules of a Workload that its types do not state.</summary>
internal static partial class WorkloadValidation
{
    private const int MaxContainers = 32;

    public static void Validate(WorkloadSpec spec, Validation v)
    {
        ValidatePlacement(spec.Placement, v);
        Validate(spec.Template, "spec.template", v);
        Validate(spec.Strategy, spec.Template, "spec.strategy", v);
    }

    internal static void ValidatePlacement(Placement? placement, Validation v)
    {
        if (placement is { Replicas: < 0 })
        {
            v.Add("spec.placement.replicas", "must not be negative");
        }

        Labels.Validate(placement?.NodeSelector, "spec.placement.nodeSelector", v);
    }

    private static void Validate(PodSpec pod, string path, Validation v)
    {
        if (pod.Containers.Count is 0 or > MaxContainers)
        {
            v.Add($"{path}.containers", $"needs 1 to {MaxContainers} containers, has {pod.Containers.Count}");
        }

        if (pod.TerminationGracePeriodSeconds is < 0 or > 3600)
        {
            v.Add($"{path}.terminationGracePeriodSeconds", "must be between 0 and 3600 (seconds)");
        }

        Validate(pod.SecurityContext, $"{path}.securityContext", v);
        ValidateImagePull(pod, path, v);
        ValidateHostUsers(pod, path, v);
        ValidateStartAfter(pod.StartAfter ?? [], $"{path}.startAfter", v);
        Validate(pod.Logs, $"{path}.logs", v);
        var volumes = ValidateVolumes(pod.Volumes ?? [], $"{path}.volumes", v);
        var names = new HashSet<string>();
        ValidateInit(pod, $"{path}.initContainers", names, volumes, v);
        var hostPorts = new List<ContainerPort>();
        for (var i = 0; i < pod.Containers.Count; i++)
        {
            var container = pod.Containers[i];
            var at = $"{path}.containers[{i}]";
            Name(container.Name, $"{at}.name", names, v);
            Validate(container, at, volumes, v);
            Validate(container.SecurityContext, pod.SecurityContext, $"{at}.securityContext", v);
            ValidateProbes(container, at, v);
            ValidateHooks(container.Lifecycle, pod.TerminationGracePeriodSeconds ?? 30, $"{at}.lifecycle", v);
            ValidatePorts(container.Ports ?? [], $"{at}.ports", pod.HostNetwork, hostPorts, v);
        }
    }

    private static void ValidateInit(PodSpec pod, string path, HashSet<string> names, HashSet<string> volumes, Validation v)
    {
        var containers = pod.InitContainers ?? [];
        if (containers.Count > MaxContainers)
        {
            v.Add(path, $"takes up to {MaxContainers} containers, has {containers.Count}");
        }

        for (var i = 0; i < containers.Count; i++)
        {
            var at = $"{path}[{i}]";
            Name(containers[i].Name, $"{at}.name", names, v);
            Validate(containers[i], at, volumes, v);
            Validate(containers[i].SecurityContext, pod.SecurityContext, $"{at}.securityContext", v);
            RefuseProbes(containers[i], at, v);
            if (containers[i].Ports is { Count: > 0 })
            {
                v.Add($"{at}.ports", "is not for init containers: they end before anybody could connect");
            }
        }
    }

    internal static void Name(string name, string path, HashSet<string> seen, Validation v)
    {
        if (ResourceName.Problem(name) is { } problem)
        {
            v.Add(path, $"'{name}' {problem}");
        }
        else if (!seen.Add(name))
        {
            v.Add(path, $"'{name}' is there twice; names must be unique");
        }
    }

    internal static bool IsAbsolute(string path) =>
        path.StartsWith('/') && !path.Contains('\0', StringComparison.Ordinal) && !path.Split('/').Contains("..");
}
