using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node;

/// <summary>A device that this board calls by a name, so that workloads need not know where it is plugged in.</summary>
internal sealed record DeclaredDevice
{
    /// <summary>What workloads call it, a DNS label.</summary>
    public required string Name { get; init; }

    /// <summary>Where it is, best by a name that stays: <c>/dev/serial/by-id/…</c></summary>
    public required string Path { get; init; }

    /// <summary>What is wrong with the entries of the options file.</summary>
    public static IEnumerable<string> Faults(IReadOnlyList<DeclaredDevice> devices)
    {
        for (var i = 0; i < devices.Count; i++)
        {
            var device = devices[i];
            if (ResourceName.Problem(device.Name) is { } problem)
            {
                yield return $"devices[{i}].name '{device.Name}' {problem}";
            }

            if (!device.Path.StartsWith("/dev/", StringComparison.Ordinal) || device.Path.Split('/').Contains(".."))
            {
                yield return $"devices[{i}].path must be a path below /dev without '..'";
            }

            if (devices.Take(i).Any(other => other.Name == device.Name))
            {
                yield return $"devices[{i}].name '{device.Name}' is there twice";
            }
        }
    }
}
