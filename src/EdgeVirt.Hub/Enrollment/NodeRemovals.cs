using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Resources;
using EdgeVirt.Hub.Storage;

namespace EdgeVirt.Hub.Enrollment;

/// <summary>
/// Revokes the identity of every node whose Node resource was deleted. It looks at the whole after each change, so
/// that a hub that ended between deleting and revoking catches up at its next start.
/// </summary>
internal sealed partial class NodeRemovals(
    ResourceStore resources, HubDatabase database, NodeIdentities identities, TimeProvider time, ILogger<NodeRemovals> logger) : BackgroundService
{
    private static readonly TimeSpan Resync = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var changed = new Signal();
        using var subscription = resources.Subscribe(changed.Set);
        var seen = -1L;
        while (!stoppingToken.IsCancellationRequested)
        {
            var pause = Resync;
            try
            {
                seen = await SweepAsync(seen, stoppingToken);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                LogFailed(e);
                pause = RetryAfter;
                seen = -1;
            }

            await changed.WaitAsync(pause, time, stoppingToken);
        }
    }

    /// <summary>Reads what changed since a version (everything if it is negative) and revokes what is gone.</summary>
    private async Task<long> SweepAsync(long seen, CancellationToken ct)
    {
        if (seen >= 0)
        {
            try
            {
                var (changes, upTo) = await resources.ReadChangesAsync(ResourceKind.Node, seen, int.MaxValue, ct);
                if (changes.All(change => change.Type != Contracts.Api.WatchEventType.Deleted))
                {
                    return upTo;
                }
            }
            catch (GoneException)
            {
                // Too many changes since: look at everything.
            }
        }

        // Identities first: a node that enrolls meanwhile is then not among them.
        var enrolled = await database.ReadAsync(EnrollmentTables.WithResource, ct);
        var nodes = await resources.ListAsync(ResourceKind.Node, ct);
        var present = nodes.Items.Select(node => node.Metadata.Name).ToHashSet();
        foreach (var node in enrolled.Where(node => !present.Contains(node)))
        {
            if (await identities.RevokeAsync(node, "its Node was deleted", ct))
            {
                LogRevoked(node);
            }
        }

        return nodes.ResourceVersion;
    }

    [LoggerMessage(LogLevel.Information, "node {Node}: revoked, its Node resource is gone")]
    private partial void LogRevoked(string node);

    [LoggerMessage(LogLevel.Error, "cannot look for deleted nodes; trying again")]
    private partial void LogFailed(Exception exception);
}
