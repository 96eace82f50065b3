using System.Threading.Channels;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Hub.Broker;
using EdgeVirt.Hub.Scheduling;

namespace EdgeVirt.Hub.Sync;

/// <summary>Pokes a node when there is a newer revision for it. A node that is not connected asks when it connects.</summary>
internal sealed class RevisionPokes(NodeRevisions revisions, NodePokes pokes) : BackgroundService
{
    // A poke that finds no room is lost, and the node's own periodic session makes up for it.
    private readonly Channel<string> pending = Channel.CreateBounded<string>(
        new BoundedChannelOptions(16_384) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var subscription = revisions.Subscribe(node => pending.Writer.TryWrite(node));
        await foreach (var node in pending.Reader.ReadAllAsync(stoppingToken))
        {
            await pokes.PokeAsync(node, PokeReason.DesiredState);
        }
    }
}
