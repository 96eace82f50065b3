using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Hub.Api;

/// <summary>Verbs for the snapshots of virtual machines. What is in them passes through and stays nowhere.</summary>
internal static class SnapshotRoutes
{
    public static IReadOnlyList<ChannelRoute> All { get; } =
    [
        Of("list", OpenChannel.VerbOneofCase.SnapshotList, "List the snapshots of a virtual machine",
            "The first frame opens with a SnapshotListQuery; data frames carry StreamMessages with a LocalSnapshotList.",
            (open, name) => open.SnapshotList.Machine = name, _ => "list") with
        {
            IsReading = true, IsFrequent = true,
        },
        Of("create", OpenChannel.VerbOneofCase.SnapshotCreate, "Take a snapshot of a virtual machine",
            "The first frame opens with a SnapshotCreateRequest; data frames carry StreamMessages with a LocalSnapshotList of the one that was taken.",
            (open, name) => open.SnapshotCreate.Machine = name, open => $"snapshot {open.SnapshotCreate.Snapshot}".TrimEnd()),
        Of("delete", OpenChannel.VerbOneofCase.SnapshotDelete, "Delete a snapshot of a virtual machine",
            "The first frame opens with a SnapshotDeleteRequest.",
            (open, name) => open.SnapshotDelete.Machine = name, open => $"snapshot {open.SnapshotDelete.Snapshot}"),
        Of("restore", OpenChannel.VerbOneofCase.SnapshotRestore, "Put a virtual machine back to a snapshot",
            "The first frame opens with a SnapshotRestoreRequest. A machine that runs is ended and started again.",
            (open, name) => open.SnapshotRestore.Machine = name, open => $"snapshot {open.SnapshotRestore.Snapshot}{(open.SnapshotRestore.DiscardPresent ? ", its present state goes" : "")}"),
        Of("export", OpenChannel.VerbOneofCase.SnapshotExport, "Read a disk of a snapshot of a virtual machine",
            "The first frame opens with a SnapshotExportRequest; data frames carry StreamMessages with a qcow2 file.",
            (open, name) => open.SnapshotExport.Machine = name, open => $"snapshot {open.SnapshotExport.Snapshot}{(open.SnapshotExport.Disk.Length > 0 ? $", disk {open.SnapshotExport.Disk}" : "")}"),
    ];

    private static ChannelRoute Of(
        string verb, OpenChannel.VerbOneofCase opens, string summary, string description, Action<OpenChannel, string> setName, Func<OpenChannel, string> describe) =>
        new($"snapshots/{verb}", opens, summary, description, setName, describe) { Kind = ResourceKind.VirtualMachine };
}
