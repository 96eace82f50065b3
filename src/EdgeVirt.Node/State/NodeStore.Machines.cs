using System.Collections.Concurrent;
using System.Text.Json;

namespace EdgeVirt.Node.State;

/// <summary>What was seen of virtual machines.</summary>
internal sealed partial class NodeStore
{
    private readonly ConcurrentDictionary<string, ObservedVirtualMachine> machines = new(StringComparer.Ordinal);

    /// <summary>Every virtual machine that was seen, ordered by name.</summary>
    public async ValueTask<IReadOnlyList<ObservedVirtualMachine>> ReadObservedMachinesAsync(CancellationToken ct)
    {
        await loaded.Task.WaitAsync(ct);
        return [.. machines.Values.OrderBy(machine => machine.Name, StringComparer.Ordinal)];
    }

    /// <summary>Records what was seen of a virtual machine. A full disk does not fail it, as with workloads.</summary>
    public async ValueTask WriteObservedAsync(ObservedVirtualMachine machine, CancellationToken ct)
    {
        await loaded.Task.WaitAsync(ct);
        var json = JsonSerializer.SerializeToUtf8Bytes(machine, DesiredStateJson.Default.ObservedVirtualMachine);
        await RunAsync(
            () =>
            {
                machines[machine.Name] = machine;
                files.WriteObserved(new RecordKey(StateDatabase.ObservedMachines, machine.Name), json);
                Wake(StoreArea.Observed);
            },
            ct);
    }

    /// <summary>Forgets a virtual machine.</summary>
    public async ValueTask RemoveObservedMachineAsync(string name, CancellationToken ct)
    {
        await loaded.Task.WaitAsync(ct);
        if (machines.ContainsKey(name))
        {
            await RunAsync(
                () =>
                {
                    machines.TryRemove(name, out _);
                    files.WriteObserved(new RecordKey(StateDatabase.ObservedMachines, name), null);
                    Wake(StoreArea.Observed);
                },
                ct);
        }
    }
}
