using System.Text.RegularExpressions;

namespace EdgeVirt.Contracts.Resources;

internal static partial class WorkloadValidation
{
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

        ValidateResources(container.Resources, $"{path}.resources", v);
        ValidateScheduling(container.Resources, $"{path}.resources", v);
        ValidateDevices(container.Devices ?? [], $"{path}.devices", v);
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

            SubPath(mounts[i].SubPath, $"{at}.subPath", v);
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

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]*$")]
    private static partial Regex EnvironmentName();
}
