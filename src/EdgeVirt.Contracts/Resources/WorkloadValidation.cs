using System.Text.RegularExpressions;

namespace EdgeVirt.Contracts.Resources;

internal static partial class WorkloadValidation
{
    private const int MaxContainers = 32;
    private const int MaxPort = 65_535;

    public static void Validate(WorkloadSpec spec, Validation v)
    {
        if (spec.Placement is { Replicas: < 0 })
        {
            v.Add("spec.placement.replicas", "must not be negative");
        }

        Labels.Validate(spec.Placement?.NodeSelector, "spec.placement.nodeSelector", v);
        Validate(spec.Template, "spec.template", v);
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

        var volumes = ValidateVolumes(pod.Volumes ?? [], $"{path}.volumes", v);
        var names = new HashSet<string>();
        var hostPorts = new HashSet<(int, PortProtocol)>();
        for (var i = 0; i < pod.Containers.Count; i++)
        {
            var container = pod.Containers[i];
            var at = $"{path}.containers[{i}]";
            Name(container.Name, $"{at}.name", names, v);
            Validate(container, at, volumes, v);
            ValidatePorts(container.Ports ?? [], $"{at}.ports", pod.HostNetwork, hostPorts, v);
        }
    }

    private static void Validate(ContainerSpec container, string path, HashSet<string> volumes, Validation v)
    {
        if (!ImageReference.TryParse(container.Image, out _, out var problem))
        {
            v.Add($"{path}.image", problem);
        }

        if (container.WorkingDir is { } directory && !IsAbsolute(directory))
        {
            v.Add($"{path}.workingDir", "must be an absolute path without '..'");
        }

        if (container.Resources?.Limits is { } limits)
        {
            if (limits.Cpu is { Value: < 0.01m })
            {
                v.Add($"{path}.resources.limits.cpu", "must be at least 10m");
            }

            if (limits.Memory is { Value: < 4 << 20 })
            {
                v.Add($"{path}.resources.limits.memory", "must be at least 4Mi");
            }

            if (limits.Pids is < 1)
            {
                v.Add($"{path}.resources.limits.pids", "must be at least 1");
            }
        }

        ValidateEnvironment(container.Env ?? [], $"{path}.env", v);
        var mounts = container.VolumeMounts ?? [];
        var paths = new HashSet<string>();
        for (var i = 0; i < mounts.Count; i++)
        {
            var at = $"{path}.volumeMounts[{i}]";
            if (!volumes.Contains(mounts[i].Name))
            {
                v.Add($"{at}.name", $"there is no volume '{mounts[i].Name}' in spec.template.volumes");
            }

            if (!IsAbsolute(mounts[i].MountPath) || mounts[i].MountPath == "/")
            {
                v.Add($"{at}.mountPath", "must be an absolute path other than '/' and without '..'");
            }
            else if (!paths.Add(mounts[i].MountPath))
            {
                v.Add($"{at}.mountPath", $"'{mounts[i].MountPath}' is mounted twice");
            }
        }
    }

    private static void ValidateEnvironment(IReadOnlyList<EnvVar> env, string path, Validation v)
    {
        var names = new HashSet<string>();
        for (var i = 0; i < env.Count; i++)
        {
            var at = $"{path}[{i}]";
            if (!EnvironmentName().IsMatch(env[i].Name))
            {
                v.Add($"{at}.name", "must be letters, digits and '_', not starting with a digit");
            }
            else if (!names.Add(env[i].Name))
            {
                v.Add($"{at}.name", $"'{env[i].Name}' is there twice");
            }

            if (env[i] is { Value: not null, ValueFrom: not null })
            {
                v.Add($"{at}.valueFrom", "give value or valueFrom, not both");
            }

            if (env[i].ValueFrom is { } source && source.SecretKeyRef is null == source.ConfigKeyRef is null)
            {
                v.Add($"{at}.valueFrom", "give exactly one of secretKeyRef and configKeyRef");
            }
        }
    }

    private static void ValidatePorts(
        IReadOnlyList<ContainerPort> ports, string path, bool hostNetwork, HashSet<(int, PortProtocol)> hostPorts, Validation v)
    {
        for (var i = 0; i < ports.Count; i++)
        {
            var port = ports[i];
            if (port.Port is < 1 or > MaxPort)
            {
                v.Add($"{path}[{i}].containerPort", "must be between 1 and 65535");
            }

            if (port.HostPort is < 1 or > MaxPort)
            {
                v.Add($"{path}[{i}].hostPort", "must be between 1 and 65535");
            }
            else if (hostNetwork && port.HostPort is { } host && host != port.Port)
            {
                v.Add($"{path}[{i}].hostPort", "must equal containerPort with hostNetwork");
            }
            else if (port.HostPort is { } published && !hostPorts.Add((published, port.Protocol)))
            {
                v.Add($"{path}[{i}].hostPort", $"{published}/{port.Protocol} is published twice");
            }
        }
    }

    private static HashSet<string> ValidateVolumes(IReadOnlyList<VolumeSpec> volumes, string path, Validation v)
    {
        var names = new HashSet<string>();
        for (var i = 0; i < volumes.Count; i++)
        {
            Name(volumes[i].Name, $"{path}[{i}].name", names, v);
            object?[] sources = [volumes[i].EmptyDir, volumes[i].Secret, volumes[i].Config];
            if (sources.Count(source => source is not null) != 1)
            {
                v.Add($"{path}[{i}]", "give exactly one of emptyDir, secret and config");
            }

            Mode(volumes[i].Secret?.DefaultMode, $"{path}[{i}].secret.defaultMode", v);
            Mode(volumes[i].Config?.DefaultMode, $"{path}[{i}].config.defaultMode", v);
        }

        return names;
    }

    private static void Mode(int? mode, string path, Validation v)
    {
        if (mode is < 0 or > 0x1FF)
        {
            v.Add(path, "must be permission bits between 0 and 0777, written as octal with a leading 0");
        }
    }

    private static void Name(string name, string path, HashSet<string> seen, Validation v)
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

    private static bool IsAbsolute(string path) =>
        path.StartsWith('/') && !path.Contains('\0', StringComparison.Ordinal) && !path.Split('/').Contains("..");

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]*$")]
    private static partial Regex EnvironmentName();
}
