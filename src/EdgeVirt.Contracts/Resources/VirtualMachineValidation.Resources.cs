using static EdgeVirt.Contracts.Resources.WorkloadValidation;

namespace EdgeVirt.Contracts.Resources;

internal static partial class VirtualMachineValidation
{
    private const decimal LeastBandwidth = 8_000;
    private const decimal MostBandwidth = 1_000_000_000_000;

    private static void ValidateCpu(VirtualCpuSpec? cpu, string path, Validation v)
    {
        if (cpu is null)
        {
            return;
        }

        (int? Given, string Name)[] parts = [(cpu.Sockets, "sockets"), (cpu.Cores, "cores"), (cpu.Threads, "threads")];
        var isSound = true;
        foreach (var (given, name) in parts)
        {
            if (given is < 1 or > MostCores)
            {
                v.Add($"{path}.{name}", $"must be between 1 and {MostCores}");
                isSound = false;
            }
        }

        if (isSound && cpu.Count > MostCores)
        {
            v.Add(path, $"sockets × cores × threads are {cpu.Count} processors; a machine has at most {MostCores}");
        }

        AtLeast(cpu.Limit, LeastCpu, "10m", $"{path}.limit", v);
        if (cpu is { DedicatedCpuPlacement: true, Limit: { } limit } && isSound && limit.Value < cpu.Count)
        {
            v.Add($"{path}.limit", $"'{limit}' is less than the {cpu.Count} processors that dedicatedCpuPlacement keeps for the machine: leave one of them out");
        }
    }

    private static void ValidateMemory(VirtualMemorySpec memory, string path, Validation v)
    {
        if (memory.Size.Value < LeastMemory || memory.Size.Value % OneMebi != 0)
        {
            v.Add($"{path}.size", $"'{memory.Size}' must be whole MiB and at least 16Mi, as 512Mi or 2Gi");
        }

        if (memory.Minimum is { } minimum)
        {
            if (minimum.Value < LeastMemory || minimum.Value % OneMebi != 0)
            {
                v.Add($"{path}.minimum", $"'{minimum}' must be whole MiB and at least 16Mi, as 256Mi");
            }
            else if (minimum.Value > memory.Size.Value)
            {
                v.Add($"{path}.minimum", $"'{minimum}' is more than the size {memory.Size}; it is what the machine keeps when the node takes memory back");
            }

            if (memory.Hugepages is not null)
            {
                v.Add($"{path}.minimum", "is not for a machine with hugepages: their memory cannot be taken back piece by piece; leave one of both out");
            }
        }

        if (memory.Hugepages?.PageSize is { } page)
        {
            if (page.Value != 2 * OneMebi && page.Value != 1024 * OneMebi)
            {
                v.Add($"{path}.hugepages.pageSize", $"'{page}' must be 2Mi or 1Gi");
            }
            else if (memory.Size.Value % page.Value != 0)
            {
                v.Add($"{path}.size", $"'{memory.Size}' must be a multiple of the huge pages' size {page}");
            }
        }
    }

    private static void Validate(VirtualBandwidth? bandwidth, string path, Validation v)
    {
        foreach (var (given, name) in ((Quantity?, string)[])[(bandwidth?.Ingress, "ingress"), (bandwidth?.Egress, "egress")])
        {
            if (given is { Value: < LeastBandwidth or > MostBandwidth } rate)
            {
                v.Add($"{path}.{name}", $"'{rate}' must be between 8k and 1T bits per second, as 10M");
            }
        }
    }
}
