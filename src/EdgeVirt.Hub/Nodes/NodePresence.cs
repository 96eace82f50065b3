using System.Collections.Concurrent;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Broker;
using EdgeVirt.Hub.Resources;

namespace EdgeVirt.Hub.Nodes;

/// <summary>What the hub thinks of a node's presence, to be written as its Ready condition.</summary>
internal readonly record struct Presence(ConditionStatus Status, string Reason, string Message)
{
    public static Presence Online { get; } = new(ConditionStatus.True, ReadyReasons.Ready, "The node is connected.");

    public static Presence Offline { get; } =
        new(ConditionStatus.False, ReadyReasons.NodeOffline, "The node is not connected. Its workloads keep running; check its network and power.");

    public static Presence Silent { get; } =
        new(ConditionStatus.Unknown, ReadyReasons.HeartbeatMissed, "The node's connection stands, but heartbeats are missing.");
}

/// <summary>
/// Which nodes are there: connections, heartbeats and last wills. Changes are written to the Node at once, and when it
/// was last seen at most once a minute, so that a thousand heartbeats are not a thousand writes.
/// </summary>
internal sealed partial class NodePresence(
    ResourceStore resources, NodeStatusWriter writer, TimeProvider time, ILogger<NodePresence> logger) : BackgroundService
{
    private const int MissedHeartbeats = 3;
    private const uint DefaultHeartbeatSeconds = 30;
    private const uint MaxHeartbeatSeconds = 3600;
    private static readonly TimeSpan LastSeenInterval = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(5);

    // After a start of the hub nodes come back in their own time: none is called offline before.
    private static readonly TimeSpan StartGrace = TimeSpan.FromMinutes(2);

    private readonly ConcurrentDictionary<string, Tracked> nodes = new();
    private readonly Signal changed = new();

    /// <summary>Whether a node is connected and not silent.</summary>
    public bool IsOnline(string node) => nodes.TryGetValue(node, out var tracked) && tracked.Judge(time) == Presence.Online;

    public void Connected(NodeConnection connection) => Change(connection.Node, tracked =>
    {
        tracked.Connection = connection;
        tracked.SaidGoodbye = false;
        tracked.Heard(time);
    });

    public void Heard(NodeConnection connection, Contracts.Protos.Presence presence) => Change(connection.Node, tracked =>
    {
        // The last will of a connection that another has replaced says nothing about the node.
        if (ReferenceEquals(tracked.Connection, connection))
        {
            tracked.SaidGoodbye = !presence.Online;
            var seconds = presence.HeartbeatSeconds == 0 ? DefaultHeartbeatSeconds : Math.Min(presence.HeartbeatSeconds, MaxHeartbeatSeconds);
            tracked.HeartbeatInterval = TimeSpan.FromSeconds(seconds);
            tracked.Heard(time);
        }
    });

    public void Disconnected(NodeConnection connection) => Change(connection.Node, tracked =>
    {
        if (ReferenceEquals(tracked.Connection, connection))
        {
            tracked.Connection = null;
        }
    });

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var started = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                started = started || await RememberAsync(stoppingToken);
                foreach (var (node, tracked) in nodes)
                {
                    await WriteAsync(node, tracked, stoppingToken);
                }
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                LogFailed(e);
            }

            await changed.WaitAsync(Tick, time, stoppingToken);
        }
    }

    /// <summary>Nodes that were there when the hub last ran are watched too: they may be gone.</summary>
    private async Task<bool> RememberAsync(CancellationToken ct)
    {
        foreach (var node in (await resources.ListAsync(ResourceKind.Node, ct)).Items)
        {
            var ready = NodeStatusWriter.StatusOf(node).Conditions.FirstOrDefault(condition => condition.Type == ConditionTypes.Ready);
            if (ready?.Reason is ReadyReasons.Ready or ReadyReasons.HeartbeatMissed)
            {
                nodes.GetOrAdd(node.Metadata.Name, _ => new Tracked { Written = Presence.Online, GraceUntil = time.GetUtcNow() + StartGrace });
            }
        }

        return true;
    }

    private async Task WriteAsync(string node, Tracked tracked, CancellationToken ct)
    {
        var now = tracked.Judge(time);
        var seen = tracked.LastSeen;
        if (now == tracked.Written && (seen is null || seen - tracked.WrittenSeen < LastSeenInterval))
        {
            return;
        }

        await writer.PresenceAsync(node, now, seen, ct);
        if (now != tracked.Written)
        {
            LogTurned(node, now.Reason);
        }

        (tracked.Written, tracked.WrittenSeen) = (now, seen ?? tracked.WrittenSeen);
    }

    private void Change(string node, Action<Tracked> change)
    {
        var tracked = nodes.GetOrAdd(node, _ => new Tracked());
        lock (tracked)
        {
            change(tracked);
        }

        if (tracked.Judge(time) != tracked.Written)
        {
            changed.Set();
        }
    }

    [LoggerMessage(LogLevel.Information, "node {Node}: {Reason}")]
    private partial void LogTurned(string node, string reason);

    [LoggerMessage(LogLevel.Error, "cannot write the presence of nodes; trying again")]
    private partial void LogFailed(Exception exception);

    private sealed class Tracked
    {
        public NodeConnection? Connection { get; set; }

        public bool SaidGoodbye { get; set; }

        public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(DefaultHeartbeatSeconds);

        public DateTimeOffset? LastSeen { get; private set; }

        public DateTimeOffset GraceUntil { get; init; } = DateTimeOffset.MinValue;

        public Presence? Written { get; set; }

        public DateTimeOffset WrittenSeen { get; set; } = DateTimeOffset.MinValue;

        public void Heard(TimeProvider time) => LastSeen = time.GetUtcNow();

        public Presence Judge(TimeProvider time)
        {
            lock (this)
            {
                if (Connection is null)
                {
                    return LastSeen is null && time.GetUtcNow() < GraceUntil ? Presence.Online : Presence.Offline;
                }

                return SaidGoodbye ? Presence.Offline
                    : time.GetUtcNow() - LastSeen > MissedHeartbeats * HeartbeatInterval ? Presence.Silent
                    : Presence.Online;
            }
        }
    }
}
