using EdgeVirt.Contracts.Protos;
using EdgeVirt.Hub.Broker;

namespace EdgeVirt.Hub.Tunnels;

/// <summary>Channels to nodes. The node dials: it is poked over MQTT, and the channel opens when its stream is there.</summary>
internal sealed class NodeChannels(NodePokes pokes, TimeProvider time)
{
    private static readonly TimeSpan DialTimeout = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private readonly Dictionary<string, NodeTunnel> tunnels = [];
    private readonly Dictionary<string, TaskCompletionSource> arrivals = [];

    /// <summary>Opens a channel to a node. Dispose it when it is no longer wanted.</summary>
    /// <exception cref="NodeUnreachableException">The node is not connected, or does not dial in within 10 seconds.</exception>
    public async Task<NodeChannel> OpenAsync(string node, OpenChannel open, CancellationToken ct)
    {
        using var timeout = new CancellationTokenSource(DialTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, ct);
        try
        {
            while (true)
            {
                var (tunnel, arrival) = Look(node);
                if (tunnel is not null && await tunnel.TryOpenAsync(open, either.Token) is { } channel)
                {
                    return channel;
                }

                if (tunnel is null && !await pokes.PokeAsync(node, PokeReason.Tunnel))
                {
                    throw new NodeUnreachableException($"Node '{node}' is not connected.");
                }

                await arrival.WaitAsync(either.Token);
            }
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            throw new NodeUnreachableException($"Node '{node}' is connected but did not open a tunnel within {DialTimeout.TotalSeconds:0} seconds.");
        }
    }

    /// <summary>A node has dialled. Of two streams of a node the newer counts.</summary>
    internal void Arrived(NodeTunnel tunnel)
    {
        lock (gate)
        {
            // Within the lock, so that the former one cannot leave and be disposed meanwhile.
            tunnels.GetValueOrDefault(tunnel.Node)?.End();
            tunnels[tunnel.Node] = tunnel;
            Notify(tunnel.Node);
        }
    }

    internal void Left(NodeTunnel tunnel)
    {
        lock (gate)
        {
            if (tunnels.TryGetValue(tunnel.Node, out var current) && current == tunnel)
            {
                tunnels.Remove(tunnel.Node);

                // Whoever found it at its end looks again, and pokes.
                Notify(tunnel.Node);
            }
        }
    }

    private (NodeTunnel? Tunnel, Task Arrival) Look(string node)
    {
        lock (gate)
        {
            if (!arrivals.TryGetValue(node, out var arrival))
            {
                arrivals[node] = arrival = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            return (tunnels.GetValueOrDefault(node), arrival.Task);
        }
    }

    private void Notify(string node)
    {
        if (arrivals.Remove(node, out var arrival))
        {
            arrival.SetResult();
        }
    }
}
