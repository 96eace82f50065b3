namespace EdgeVirt.Contracts.Resources;

internal static partial class WorkloadValidation
{
    internal const decimal LeastCpu = 0.01m;
    private const decimal LeastMemory = 4 << 20;

    private static void ValidateResources(ResourceRequirements? resources, string path, Validation v)
    {
        var (requests, limits) = (resources?.Requests, resources?.Limits);
        AtLeast(limits?.Cpu, LeastCpu, "10m", $"{path}.limits.cpu", v);
        AtLeast(limits?.Memory, LeastMemory, "4Mi", $"{path}.limits.memory", v);
        AtLeast(limits?.EphemeralStorage, LeastEmptyDir, "1Mi", $"{path}.limits.ephemeral-storage", v);
        AtLeast(requests?.Cpu, 0.001m, "1m", $"{path}.requests.cpu", v);
        AtLeast(requests?.Memory, 1, "1 byte", $"{path}.requests.memory", v);
        NotOver(requests?.Cpu, limits?.Cpu, $"{path}.requests.cpu", v);
        NotOver(requests?.Memory, limits?.Memory, $"{path}.requests.memory", v);
        if (limits?.Pids is < 1)
        {
            v.Add($"{path}.limits.pids", "must be at least 1");
        }
    }

    internal static void AtLeast(Quantity? quantity, decimal least, string text, string path, Validation v)
    {
        if (quantity is { } given && given.Value < least)
        {
            v.Add(path, $"must be at least {text}");
        }
    }

    private static void NotOver(Quantity? request, Quantity? limit, string path, Validation v)
    {
        if (request is { } asked && limit is { } most && asked.Value > most.Value)
        {
            v.Add(path, "must not be more than the limit");
        }
    }
}
