namespace EdgeVirt.Contracts.Resources;

internal static partial class WorkloadValidation
{
    private static void ValidateDevices(IReadOnlyList<DeviceSpec> devices, string path, Validation v)
    {
        for (var i = 0; i < devices.Count; i++)
        {
            var (device, at) = (devices[i], $"{path}[{i}]");
            string?[] ways = [device.Path, device.Class, device.Name];
            if (ways.Count(way => way is not null) != 1)
            {
                v.Add(at, "give exactly one of path, class and name");
            }

            if (device.Path is { } file && (!IsAbsolute(file) || !file.StartsWith("/dev/", StringComparison.Ordinal) || file.LastIndexOf('/') is var cut && file.AsSpan(0, cut).ContainsAny('*', '?')))
            {
                v.Add($"{at}.path", "must be a path below /dev without '..', with '*' and '?' only in its last part");
            }

            if (device.Class is { } kind && (kind.Length == 0 || !kind.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_')))
            {
                v.Add($"{at}.class", "must be letters, digits, '-' and '_', as in /sys/class");
            }

            if (device.Name is { } name && ResourceName.Problem(name) is { } problem)
            {
                v.Add($"{at}.name", $"'{name}' {problem}");
            }

            if (device.ContainerPath is { } inside && (!IsAbsolute(inside) || inside == "/" || device.Class is not null || device.Path?.AsSpan().ContainsAny('*', '?') == true))
            {
                v.Add($"{at}.containerPath", "must be an absolute path without '..', and is for one device alone");
            }

            if (device.Permissions is { } permissions && (permissions.Length == 0 || permissions.Distinct().Count() != permissions.Length || permissions.Any(c => c is not ('r' or 'w' or 'm'))))
            {
                v.Add($"{at}.permissions", "must be some of r, w and m, as rw");
            }
        }
    }
}
