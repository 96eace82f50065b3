using EdgeVirt.Contracts.Protos;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Control;

namespace EdgeVirt.Node.VirtualMachines.Consoles;

/// <summary>Finds the virtual machine that someone means.</summary>
internal sealed class RunningMachines(NodeOptions options, VmRecords machines, RecordStore workloads)
{
    /// <summary>A machine of this node, whether it runs or not.</summary>
    /// <exception cref="ChannelRefusedException">There is none.</exception>
    public VmRecord Find(string name)
    {
        if (machines.All.FirstOrDefault(record => record.Name == name) is { } found)
        {
            return found;
        }

        if (workloads.Containers.Any(run => run.Workload == name))
        {
            throw new ChannelRefusedException(
                CloseReason.Invalid, $"'{name}' is a workload of containers and has no console: 'edgevirt attach {name}' shows its program, 'edgevirt logs {name}' what it wrote.");
        }

        var known = machines.All.Select(record => record.Name).Order(StringComparer.Ordinal).ToList();
        throw new ChannelRefusedException(
            CloseReason.NotFound, $"There is no virtual machine '{name}' on this node{(known.Count == 0 ? "" : $"; there are {string.Join(", ", known)}")}.");
    }

    /// <summary>The run of a machine that is going on.</summary>
    /// <exception cref="ChannelRefusedException">There is none.</exception>
    public RunningMachine FindRunning(string name)
    {
        var record = Find(name);
        return record.Run is { } run && new RunningMachine(record, new ProcessIdentity(run.Pid, run.StartTime), PathsOf(record)) is { IsAlive: true } running
            ? running
            : throw new ChannelRefusedException(
                CloseReason.NotFound, $"Virtual machine '{name}' is not running; 'edgevirt describe vm {name}' says why, 'edgevirt console --log {name}' shows what it wrote.");
    }

    /// <summary>Where a machine has its things.</summary>
    public VmPaths PathsOf(VmRecord record) => VmPaths.Of(options, record.Id);
}

/// <summary>A machine whose QEMU runs, or did a moment ago.</summary>
internal sealed record RunningMachine(VmRecord Record, ProcessIdentity Qemu, VmPaths Paths)
{
    public bool IsAlive => Processes.IsAlive(Qemu);
}
