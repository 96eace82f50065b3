using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Hub.Api;

/// <summary>Verbs for the persistent volumes of a node. What is in them passes through and stays nowhere.</summary>
internal static class VolumeRoutes
{
    public static IReadOnlyList<ChannelRoute> All { get; } =
    [
        Of("volumes/list", OpenChannel.VerbOneofCase.VolumeList, "List a node's persistent volumes",
            "The first frame opens with a VolumeListQuery; data frames carry StreamMessages with a LocalVolumeList.", _ => "list") with { IsReading = true, IsFrequent = true },
        Of("volumes/delete", OpenChannel.VerbOneofCase.VolumeDelete, "Delete a persistent volume of a node",
            "The first frame opens with a VolumeDeleteRequest. Refused while a workload has the volume.", open => $"volume {open.VolumeDelete.Volume}"),
        Of("volumes/backup", OpenChannel.VerbOneofCase.VolumeBackup, "Read a persistent volume of a node",
            "The first frame opens with a VolumeBackupRequest; data frames carry StreamMessages with a tar compressed by zstd.", open => $"volume {open.VolumeBackup.Volume}"),
        Of("volumes/restore", OpenChannel.VerbOneofCase.VolumeRestore, "Give a persistent volume of a node the content of a backup",
            "The first frame opens with a VolumeRestoreRequest; data frames carry StreamMessages of a backup. All or nothing.", open => $"volume {open.VolumeRestore.Volume}"),
    ];

    private static ChannelRoute Of(string path, OpenChannel.VerbOneofCase verb, string summary, string description, Func<OpenChannel, string> describe) =>
        new(path, verb, summary, description, (_, _) => { }, describe) { Kind = ResourceKind.Node };
}
