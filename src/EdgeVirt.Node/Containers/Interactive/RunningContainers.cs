using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Control;

namespace EdgeVirt.Node.Containers.Interactive;

/// <summary>Finds the container that someone means, as long as it runs.</summary>
internal sealed class RunningContainers(RecordStore records, IContainerRuntime runtime)
{
    /// <summary>The run of a container that is going on.</summary>
    /// <param name="workload">The workload's name.</param>
    /// <param name="container">Empty: the only one.</param>
    /// <exception cref="ChannelRefusedException">There is none, or there are several.</exception>
    public ContainerRecord Find(string workload, string container)
    {
        var all = records.Containers.Where(run => run.Workload == workload).ToList();
        var names = all.Select(run => run.Container).Distinct().Order(StringComparer.Ordinal).ToList();
        if (names.Count == 0)
        {
            throw new ChannelRefusedException(CloseReason.NotFound, $"Workload '{workload}' has no container on this node.");
        }

        if (container.Length == 0 && names.Count > 1)
        {
            throw new ChannelRefusedException(CloseReason.Invalid, $"Workload '{workload}' has several containers; name one of {string.Join(", ", names)}.");
        }

        var name = container.Length > 0 ? container : names[0];
        if (!names.Contains(name))
        {
            throw new ChannelRefusedException(CloseReason.NotFound, $"Workload '{workload}' has no container '{name}'; it has {string.Join(", ", names)}.");
        }

        var newest = all.Where(run => run.Container == name).MaxBy(run => run.Attempt)!;
        return IsRunning(newest)
            ? newest
            : throw new ChannelRefusedException(
                CloseReason.NotFound, $"Container '{name}' of workload '{workload}' is not running; 'edgevirt describe workload {workload}' says why.");
    }

    /// <summary>Any container of a workload that runs.</summary>
    /// <exception cref="ChannelRefusedException">There is none.</exception>
    public ContainerRecord FindAny(string workload) =>
        records.Containers.FirstOrDefault(run => run.Workload == workload && IsRunning(run)) ??
        throw new ChannelRefusedException(CloseReason.NotFound, $"Workload '{workload}' has no running container on this node.");

    private bool IsRunning(ContainerRecord run) => run is { StartedAt: not null, Exit: null, Retired: false } && runtime.ExitOf(run) is null;
}
