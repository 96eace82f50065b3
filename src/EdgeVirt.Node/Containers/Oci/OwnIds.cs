using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>How the ids of a workload with a user namespace of its own are said to the runtime.</summary>
internal static class OwnIds
{
    /// <summary>For uidMappings and gidMappings; null: the workload has the node's ids.</summary>
    /// <exception cref="StartFailedException">The container would run as somebody whom the namespace does not have.</exception>
    public static IReadOnlyList<SpecIdMapping>? Of(SandboxRecord sandbox, ContainerUser user)
    {
        if (sandbox.FirstHostId is not { } first)
        {
            return null;
        }

        uint[] ids = [user.Uid, user.Gid, .. user.Groups];
        return ids.Max() is >= UserIds.PerWorkload and var beyond
            ? throw new StartFailedException($"with hostUsers: false ids end at {UserIds.PerWorkload - 1}, and the container would run with {beyond}; set runAsUser and runAsGroup, or use an image that names others")
            : [new SpecIdMapping(0, first, UserIds.PerWorkload)];
    }
}
