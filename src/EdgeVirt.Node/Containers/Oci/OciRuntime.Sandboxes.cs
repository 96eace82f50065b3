using EdgeVirt.Node.Networks;
using EdgeVirt.Node.Networks.Names;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>Sandboxes: what the containers of a workload share.</summary>
internal sealed partial class OciRuntime
{
    public SandboxRecord Allocate(SandboxRecord sandbox)
    {
        if (sandbox.HostNetwork)
        {
            return sandbox;
        }

        try
        {
            var allocated = WithIds(sandbox with { Address = network.Take(sandbox.Address) });
            if (network.Reserve(sandbox.Id, ForwardsOf(allocated)) is var (taken, by))
            {
                network.Free(allocated.Address!);
                FreeIds(allocated);
                throw new StartFailedException(Taken(taken, by));
            }

            return allocated;
        }
        catch (AddressesExhaustedException e)
        {
            throw new StartFailedException(e.Message, e);
        }
    }

    public async Task CreateSandboxAsync(SandboxRecord sandbox, WorkloadTarget target, CancellationToken ct)
    {
        try
        {
            await EmptyEvictedAsync(sandbox, ct);
            Directory.CreateDirectory(directories.SecretVolumes(sandbox.Id), OwnerOnly);
            SandboxFiles.Write(sandbox, target, directories, NameServer.IsInstalled ? network.Gateway : null);
            await volumes.PrepareAsync(sandbox, target, ct);
            if (AttachmentOf(sandbox) is { } attachment)
            {
                await network.OpenAsync(attachment, ct);
                // The rest is done while the container is being made; it is waited for before its program runs.
                connecting[sandbox.Id] = Task.Run(() => ConnectAsync(attachment), CancellationToken.None);
            }
            else
            {
                Mark(sandbox.Id);
            }

            usable[sandbox.Id] = true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartFailedException(e.Message, e);
        }
    }

    public async Task MovePortsAsync(SandboxRecord from, SandboxRecord to, CancellationToken ct)
    {
        if (AttachmentOf(from) is not { } before || AttachmentOf(to) is not { } after)
        {
            return;
        }

        try
        {
            if (await network.MoveAsync(before, after, ct) is var (taken, by))
            {
                throw new StartFailedException(Taken(taken, by));
            }
        }
        catch (IOException e)
        {
            throw new StartFailedException(e.Message, e);
        }
    }

    public void RefreshFiles(SandboxRecord sandbox, WorkloadTarget target)
    {
        try
        {
            SandboxFiles.WriteProjections(sandbox, target, directories);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartFailedException(e.Message, e);
        }
    }

    public async Task RemoveSandboxAsync(SandboxRecord sandbox, bool emptyDirs, CancellationToken ct)
    {
        usable.TryRemove(sandbox.Id, out _);
        File.Delete(directories.SandboxMark(sandbox.Id));
        File.Delete(EvictionOf(sandbox.Id));
        if (connecting.TryRemove(sandbox.Id, out var connected))
        {
            await connected.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (AttachmentOf(sandbox) is { } attachment)
        {
            await network.DetachAsync(attachment, ct);
            network.Release(sandbox.Id);
            network.Free(attachment.Address);
        }

        FreeIds(sandbox);

        await volumes.RemoveAsync(sandbox.Id, emptyDirs, ct);
        SandboxFiles.Remove(sandbox.Id, emptyDirs, directories);
        RemoveEmptyCgroups();
    }
}
