using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers;

/// <summary>
/// What a workload has on the node: one sandbox and the runs in it. It sees what became of them and carries out plans;
/// what is to be is said by its <see cref="WorkloadOwner"/>, its only caller.
/// </summary>
/// <param name="name">The workload.</param>
/// <param name="tools">What all share.</param>
/// <param name="isAlternate">Whether it stands beside one of the plain name: each hand-over takes the other name.</param>
internal sealed partial class WorkloadInstance(string name, WorkloadTools tools, bool isAlternate)
{
    private readonly List<ContainerRecord> containers = [];
    private SandboxRecord? sandbox;

    /// <summary>Null: none.</summary>
    public SandboxRecord? Sandbox => sandbox;

    /// <summary>See the constructor.</summary>
    public bool IsAlternate => isAlternate;

    /// <summary>Counts hand-overs of the workload.</summary>
    public int Turn { get; init; }

    /// <summary>Whether it gets ready beside the one that serves: it publishes no port yet.</summary>
    public bool IsSuccessor { get; set; }

    /// <summary>Nothing is left of it.</summary>
    public bool IsEmpty => sandbox is null && containers.Count == 0;

    /// <summary>Of the target that what is there was made for; null: nothing is there.</summary>
    public string? Hash => sandbox?.Hash ?? containers.FirstOrDefault()?.Hash;

    /// <summary>Of the resource that what is there was made for; null: nothing is there.</summary>
    public string? Uid => sandbox?.Uid ?? containers.FirstOrDefault()?.Uid;

    /// <summary>Digests of the images of what is there. May be called by any thread.</summary>
    public IEnumerable<string> ImagesInUse
    {
        get
        {
            lock (containers)
            {
                return [.. containers.Where(container => !container.Retired).Select(container => container.ImageDigest)];
            }
        }
    }

    /// <summary>Digests of the images of the newest runs, by container.</summary>
    public IReadOnlyDictionary<string, string> Images => containers
        .GroupBy(container => container.Container)
        .ToDictionary(runs => runs.Key, runs => runs.MaxBy(run => run.Attempt)!.ImageDigest);

    public void Adopt(SandboxRecord record) => sandbox = record;

    public void Adopt(ContainerRecord record) => containers.Add(record);

    public WorkloadView View() => new(sandbox, sandbox is not null && tools.Runtime.IsUsable(sandbox), containers)
    {
        Probed = containers.Where(container => container.Exit is null)
            .Select(container => KeyValuePair.Create(container.Id, tools.Probes.Find(container.Id)!))
            .Where(pair => pair.Value is not null)
            .ToDictionary(),
    };

    /// <summary>Looks what became of the runs.</summary>
    public void Observe()
    {
        for (var i = 0; i < containers.Count; i++)
        {
            var record = containers[i];
            if (record.Exit is null && tools.Runtime.ExitOf(record) is { } exit)
            {
                exit = record.StopCause is { } cause ? exit with { Reason = record.StopReason ?? WorkloadPlan.ProbeFailed, Message = cause } : exit;
                containers[i] = record with { Exit = exit };
                tools.Records.Write(containers[i]);
                tools.Probes.Forget(record.Id);
                tools.Hooks.Forget(record.Id);
                LogEnded(tools.Log, record.Id, exit.Code, exit.Reason);
            }
            else if (record is { Exit: null, StartedAt: null })
            {
                containers[i] = record with { StartedAt = tools.Time.GetUtcNow() };
                tools.Records.Put(containers[i]);
            }

            FollowHook(i);
        }
    }

    /// <summary>Has the probes of what runs asked, and writes down for which run they failed: it is stopped for that even by a later agent.</summary>
    public void Probe(WorkloadTarget? target, WorkloadInstanceStatus? reported)
    {
        for (var i = 0; i < containers.Count; i++)
        {
            var record = containers[i];
            if (record is not { Exit: null, StopCause: null, PostStart: null } || target is null || record.Hash != target.Hash ||
                target.Template.Containers.FirstOrDefault(container => container.Name == record.Container) is not { } spec)
            {
                continue;
            }

            tools.Probes.Watch(record, spec, reported?.Containers.FirstOrDefault(status => status.ContainerId == record.Id)?.Ready == true);
            if (tools.Probes.Find(record.Id)?.Failure is { } cause)
            {
                containers[i] = record with { StopCause = cause };
                tools.Records.Write(containers[i]);
            }
        }
    }
}
