namespace EdgeVirt.Contracts.Resources;

/// <summary>Who goes first when a node runs out of memory. Not stated but derived from requests and limits, as in Kubernetes.</summary>
public enum QosClass
{
    /// <summary>No container asks for anything: the first to go.</summary>
    BestEffort,

    /// <summary>In between: the sooner to go, the less of the node's memory it asked for.</summary>
    Burstable,

    /// <summary>Each container has limits of CPU and memory and asks for just as much: the last to go.</summary>
    Guaranteed,
}

/// <summary>Derives the class of a workload.</summary>
public static class QosClasses
{
    /// <summary>The class of a pod.</summary>
    public static QosClass Of(PodSpec pod)
    {
        var all = pod.AllContainers().Select(container => container.Resources).ToList();
        return all.All(AsksForNothing) ? QosClass.BestEffort
            : all.All(HasJustWhatItAsksFor) ? QosClass.Guaranteed
            : QosClass.Burstable;
    }

    /// <summary>CPUs that a container asks for; null: none.</summary>
    public static Quantity? CpuRequest(this ResourceRequirements? resources) => resources?.Requests?.Cpu ?? resources?.Limits?.Cpu;

    /// <summary>Bytes of memory that a container asks for; null: none.</summary>
    public static Quantity? MemoryRequest(this ResourceRequirements? resources) => resources?.Requests?.Memory ?? resources?.Limits?.Memory;

    private static bool AsksForNothing(ResourceRequirements? resources) => resources.CpuRequest() is null && resources.MemoryRequest() is null;

    private static bool HasJustWhatItAsksFor(ResourceRequirements? resources) =>
        resources?.Limits is { Cpu: { } cpu, Memory: { } memory } && resources.CpuRequest()?.Value == cpu.Value && resources.MemoryRequest()?.Value == memory.Value;
}
