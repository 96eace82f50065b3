using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Reconcile;
using EdgeVirt.Node.State;

namespace EdgeVirt.Node.Networks.Names;

/// <summary>
/// Lets workloads find each other by name: keeps the name server going as long as there is a workload or a virtual machine on the bridge, and
/// tells it which are ready. No container waits for it.
/// </summary>
internal sealed class NamesReconciler(NodeStore store, NodeNetwork network, NameServer server, NodeConditions conditions, TimeProvider time, MachineLeases? machineLeases = null) : IReconciler
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);

    // A workload that is replaced is off the bridge for a moment.
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(2);

    private readonly MachineLeases leases = machineLeases ?? new MachineLeases();
    private long? unusedSince;

    public event Action? Woken
    {
        add => leases.Changed += value;
        remove => leases.Changed -= value;
    }

    public string Name => "names";

    public IReadOnlyList<StoreArea> Reads { get; } = [StoreArea.Observed];

    public async ValueTask<TimeSpan?> ReconcileAsync(CancellationToken ct)
    {
        var workloads = await store.ReadObservedAsync(ct);
        if (leases.IsEmpty && !workloads.Any(workload => workload.Status.Address is not null))
        {
            return await RemoveAsync(ct);
        }

        unusedSince = null;
        if (!NameServer.IsInstalled)
        {
            conditions.Set(
                ConditionTypes.NamesServed, ConditionStatus.False, NamesServedReasons.ServerMissing,
                "Workloads do not find each other by name: dnsmasq is missing. Install the package dnsmasq-base, and start them anew.");
            return null;
        }

        server.Write(NameZone.Hosts(workloads, network.Gateway, await store.ReadObservedMachinesAsync(ct)));
        server.WriteLeases(leases.HostsFile());
        try
        {
            // After a boot what was seen is there before the bridge is.
            if (!network.HasBridge)
            {
                return Retry;
            }

            await server.EnsureAsync(ct);
            conditions.Set(ConditionTypes.NamesServed, ConditionStatus.True, NamesServedReasons.Served);
            return LookInterval;
        }
        catch (IOException e)
        {
            conditions.Set(ConditionTypes.NamesServed, ConditionStatus.False, NamesServedReasons.ServerFailed, $"The name server cannot be started: {e.Message}");
            return LookInterval;
        }
    }

    private async ValueTask<TimeSpan?> RemoveAsync(CancellationToken ct)
    {
        var now = time.GetTimestamp();
        if (time.GetElapsedTime(unusedSince ??= now, now) is var since && since < Linger)
        {
            return Linger - since;
        }

        await server.RemoveAsync(ct);
        return null;
    }
}
