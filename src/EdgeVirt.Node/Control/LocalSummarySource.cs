using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Hub;
using EdgeVirt.Node.State;

namespace EdgeVirt.Node.Control;

/// <summary>The node as who stands before it wants to see it.</summary>
internal sealed class LocalSummarySource(NodeStatusSource node, NodeStore store, IdentityFiles identities, MqttLink link, LastErrorLog errors)
{
    /// <summary>How it is now.</summary>
    public async ValueTask<LocalSummary> ReadAsync(CancellationToken ct)
    {
        var identity = identities.Current;
        var (since, problem) = link.State;
        return new LocalSummary
        {
            Node = identity?.Node,
            Hub = identity?.Hub.ToString(),
            HubConnectedSince = since,
            HubProblem = since is null ? problem : null,
            Status = await node.ReadAsync(ct),
            Workloads = [.. (await store.ReadObservedAsync(ct)).Select(seen => Of(seen.Name, seen.Status, seen.Status.Containers.Sum(container => container.RestartCount)))],
            VirtualMachines = [.. (await store.ReadObservedMachinesAsync(ct)).Select(seen => Of(seen.Name, seen.Status, seen.Status.RestartCount))],
            LastError = errors.Last,
        };
    }

    /// <summary>Calls <paramref name="wake"/> when it may be otherwise, until disposed. It must return at once.</summary>
    public IDisposable Subscribe(Action wake)
    {
        node.Changed += wake;
        link.StateChanged += wake;
        errors.Changed += wake;
        return new Subscription(store.Subscribe(StoreArea.Observed, wake), () =>
        {
            node.Changed -= wake;
            link.StateChanged -= wake;
            errors.Changed -= wake;
        });
    }

    private static LocalInstance Of(string name, InstanceStatus status, int restarts)
    {
        var ready = status.Conditions.FirstOrDefault(condition => condition.Type == ConditionTypes.Ready);
        return new LocalInstance
        {
            Name = name,
            IsReady = ready?.Status == ConditionStatus.True,
            State = ready?.Reason ?? "",
            Message = ready?.Status == ConditionStatus.True ? null : ready?.Message,
            Restarts = restarts,
        };
    }

    private sealed class Subscription(IDisposable observed, Action rest) : IDisposable
    {
        public void Dispose()
        {
            observed.Dispose();
            rest();
        }
    }
}
