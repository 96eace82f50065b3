using System.Diagnostics.CodeAnalysis;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts;

/// <summary>What a topic carries. Upstream topics are the node's to publish, downstream ones the hub's.</summary>
public enum TopicChannel
{
    /// <summary>node → hub, <c>Presence</c>: hello, heartbeat and last will.</summary>
    Presence,

    /// <summary>node → hub, <c>StatusReport</c>.</summary>
    Status,

    /// <summary>node → hub, <c>TelemetryBatch</c>.</summary>
    Telemetry,

    /// <summary>hub → node, <c>Poke</c>.</summary>
    Poke,
}

/// <summary>
/// The MQTT topic grammar: <c>edgevirt/v1/&lt;node&gt;/up/(presence|status|telemetry)</c> and
/// <c>edgevirt/v1/&lt;node&gt;/down/poke</c>. The hub's access rules follow from it: a node publishes only below
/// its own <c>up/</c> and subscribes only below its own <c>down/</c>.
/// </summary>
/// <param name="Node">Node name, a DNS label.</param>
/// <param name="Channel">What is carried.</param>
public readonly record struct Topic(string Node, TopicChannel Channel)
{
    private const string Root = "edgevirt/v1/";

    /// <summary>The one filter to which a node subscribes.</summary>
    public static string DownstreamFilter(string node) => $"{Root}{node}/down/#";

    /// <summary>The topic's text.</summary>
    public override string ToString() => Channel switch
    {
        TopicChannel.Presence => $"{Root}{Node}/up/presence",
        TopicChannel.Status => $"{Root}{Node}/up/status",
        TopicChannel.Telemetry => $"{Root}{Node}/up/telemetry",
        TopicChannel.Poke => $"{Root}{Node}/down/poke",
        _ => throw new InvalidOperationException($"Topic channel {Channel} has no text."),
    };

    /// <summary>Reads a topic; false for anything that <see cref="ToString"/> does not write.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Topic topic)
    {
        topic = default;
        if (text is null || !text.StartsWith(Root, StringComparison.Ordinal))
        {
            return false;
        }

        var rest = text.AsSpan(Root.Length);
        var slash = rest.IndexOf('/');
        if (slash <= 0 || !ResourceName.IsValid(rest[..slash]))
        {
            return false;
        }

        TopicChannel? channel = rest[(slash + 1)..] switch
        {
            "up/presence" => TopicChannel.Presence,
            "up/status" => TopicChannel.Status,
            "up/telemetry" => TopicChannel.Telemetry,
            "down/poke" => TopicChannel.Poke,
            _ => null,
        };
        if (channel is null)
        {
            return false;
        }

        topic = new Topic(rest[..slash].ToString(), channel.Value);
        return true;
    }

    /// <summary>Whether <paramref name="node"/> may publish on this topic.</summary>
    public bool MayBePublishedBy(string node) => Channel != TopicChannel.Poke && Node == node;
}
