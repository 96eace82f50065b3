using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Hub.Api;

/// <summary>Verbs for the snapshots of a node's virtual machines. What is in them passes through and stays nowhere.</summary>
internal static class SnapshotRoutes
{
    public static IReadOnlyList<ChannelRoute> All { get; } =
    [
        Of("snapshots/list", OpenChannel.VerbOneofCase.SnapshotList, "List the snapshots of a node's virtual machine",
            "The first frame opens with a SnapshotListQuery; data frames carry StreamMessages with a LocalSnapshotList.", open => $"VirtualMachine/{open.SnapshotList.Machine}") with
        {
            IsReading = true, IsFrequent = true,
        },
        Of("snapshots/create", OpenChannel.VerbOneofCase.SnapshotCreate, "Take a snapshot of a node's virtual machine",
            "The first frame opens with a SnapshotCreateRequest; data frames carry StreamMessages with a LocalSnapshotList of the one that was taken.",
            open => $"VirtualMachine/{open.SnapshotCreate.Machine} snapshot {open.SnapshotCreate.Snapshot}"),
        Of("snapshots/delete", OpenChannel.VerbOneofCase.SnapshotDelete, "Delete a snapshot of a node's virtual machine",
            "The first frame opens with a SnapshotDeleteRequest.", open => $"VirtualMachine/{open.SnapshotDelete.Machine} snapshot {open.SnapshotDelete.Snapshot}"),
        Of("snapshots/restore", OpenChannel.VerbOneofCase.SnapshotRestore, "Put a node's virtual machine back to a snapshot",
            "The first frame opens with a SnapshotRestoreRequest. A machine that runs is ended and started again.",
            open => $"VirtualMachine/{open.SnapshotRestore.Machine} snapshot {open.SnapshotRestore.Snapshot}"),
        Of("snapshots/export", OpenChannel.VerbOneofCase.SnapshotExport, "Read a disk of a snapshot of a node's virtual machine",
            "The first frame opens with a SnapshotExportRequest; data frames carry StreamMessages with a qcow2 file.",
            open => $"VirtualMachine/{open.SnapshotExport.Machine} snapshot {open.SnapshotExport.Snapshot} disk {open.SnapshotExport.Disk}"),
    ];

    private static ChannelRoute Of(string path, OpenChannel.VerbOneofCase verb, string summary, string description, Func<OpenChannel, string> describe) =>
        new(path, verb, summary, description, (_, _) => { }, describe) { Kind = ResourceKind.Node };
}
