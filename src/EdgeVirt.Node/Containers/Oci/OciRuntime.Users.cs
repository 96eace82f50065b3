using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Networks;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>User namespaces of workloads that are not to have the node's ids.</summary>
internal sealed partial class OciRuntime
{
    private readonly HostIdRanges ids = new(directories.FirstHostId);

    private SandboxRecord WithIds(SandboxRecord sandbox)
    {
        try
        {
            return sandbox.HasOwnUsers ? sandbox with { FirstHostId = ids.Take(sandbox.FirstHostId) } : sandbox;
        }
        catch (StartFailedException)
        {
            network.Free(sandbox.Address!);
            throw;
        }
    }

    private void FreeIds(SandboxRecord sandbox)
    {
        if (sandbox.FirstHostId is { } first)
        {
            NetworkNamespaces.Delete(directories.UserNamespace(sandbox.Id));
            ids.Free(first);
        }
    }

    private NamespaceUsers? UsersOf(SandboxRecord sandbox) =>
        directories.UserNamespaceOf(sandbox) is { } path ? new NamespaceUsers(path, sandbox.FirstHostId!.Value, UserIds.PerWorkload) : null;

    // Whatever image is unpacked below, its programs with a set-user-ID bit among it, is of no other user's business on the node. The container's own
    // root is one where it is not the node's: it comes by its group.
    private void Enclose(string id, SandboxRecord sandbox)
    {
        var path = directories.Container(id);
        Directory.CreateDirectory(path, OwnerOnly);
        if (sandbox.FirstHostId is { } root)
        {
            Ownership.Set(path, 0, root);
        }

        File.SetUnixFileMode(path, sandbox.FirstHostId is null ? OwnerOnly : OwnerOnly | UnixFileMode.GroupExecute);
    }

    private LayerUsers? LayerUsersOf(ContainerStart start)
    {
        if (directories.UserNamespaceOf(start.Sandbox) is not { } users)
        {
            return null;
        }

        // Below what is unmounted when the run is released.
        var place = Path.Combine(directories.MountSources(start.Record.Id), "layers");
        Directory.CreateDirectory(place);
        return new LayerUsers(users, place);
    }

    // What is written there later belongs to whoever writes; what is there at first is the root itself.
    private static void OwnUpper(string upper, SandboxRecord sandbox)
    {
        if (sandbox.FirstHostId is { } root)
        {
            Ownership.Set(upper, root, root);
        }
    }
}
