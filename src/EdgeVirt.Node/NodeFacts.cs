using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Boards;

namespace EdgeVirt.Node;

/// <summary>Names the OCI runtime in use, e.g. <c>crun 1.21</c>; registered by whoever runs containers.</summary>
internal delegate string? ContainerRuntimeName();

/// <summary>The machine under the node: what it is, and what it has now.</summary>
internal sealed class NodeFacts(NodeOptions options, IEnumerable<ContainerRuntimeName> runtimes, BoardReading board)
{
    // Does not change while the agent runs.
    private readonly NodeStatus lasting = new()
    {
        AgentVersion = EdgeVirt.Node.AgentVersion.Text,
        Architecture = SystemFacts.Architecture,
        Board = SystemFacts.Board,
        Firmware = board.Firmware,
        Image = board.Image,
        SerialNumber = SystemFacts.SerialNumber,
        Kernel = SystemFacts.Kernel,
        OperatingSystem = SystemFacts.OperatingSystem,
        BootId = SystemFacts.BootId,
        CpuCount = SystemFacts.CpuCount,
        MemoryBytes = SystemFacts.MemoryBytes,
    };

    /// <summary>How it is now; the rest of the status is for others to say.</summary>
    public NodeStatus Read() => lasting with
    {
        ContainerRuntime = runtimes.Select(runtime => runtime()).FirstOrDefault(name => name is not null),
        Addresses = SystemFacts.Addresses(),
        DiskBytes = SystemFacts.DiskBytes(options.DataDir),
        Storage = board.Storage,
    };
}
