using EdgeVirt.Hub.Nodes;
using MQTTnet.Diagnostics.Logger;
using MQTTnet.Packets;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace EdgeVirt.Hub.Broker;

/// <summary>
/// The MQTT side of the hub. It routes nothing: what a node publishes goes to <see cref="UpstreamMessages"/>, which
/// commits before the acknowledgement, and what the hub sends goes to a node's session by <see cref="NodePokes"/>.
/// </summary>
internal sealed partial class MqttBroker(
    BrokerListener listener, BrokerAccess access, UpstreamMessages upstream, NodePresence presence, NodePokes pokes, HubEndpoints endpoints)
    : IHostedService, IDisposable
{
    /// <summary>Largest packet that a node may send. Larger than any payload that is accepted.</summary>
    public const int MaxPacketBytes = UpstreamMessages.MaxPayloadBytes + (64 << 10);

    private const int MaxPendingMessages = 64;
    private static readonly TimeSpan SendTimeout = TimeSpan.FromSeconds(15);

    private MqttServer? server;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var options = new MqttServerOptions
        {
            EnablePersistentSessions = false,
            MaxPendingMessagesPerClient = MaxPendingMessages,
            PendingMessagesOverflowStrategy = MqttPendingMessagesOverflowStrategy.DropNewMessage,
            DefaultCommunicationTimeout = SendTimeout,
        };
        server = new MqttServerFactory().CreateMqttServer(options, [listener], new MqttNetNullLogger());
        server.ValidatingConnectionAsync += access.ValidateAsync;
        server.InterceptingSubscriptionAsync += access.SubscribeAsync;
        server.InterceptingOutboundPacketAsync += LimitAsync;
        server.InterceptingPublishAsync += PublishAsync;
        server.ClientConnectedAsync += ConnectedAsync;
        server.ClientDisconnectedAsync += DisconnectedAsync;
        await server.StartAsync();
        endpoints.MqttPort = listener.Port;
        pokes.Server = server;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        pokes.Server = null;
        if (server is { IsStarted: true })
        {
            // Nodes are not offline because the hub goes: nothing is written about them here.
            server.ClientDisconnectedAsync -= DisconnectedAsync;
            await server.StopAsync(new MqttServerStopOptions());
        }
    }

    public void Dispose() => server?.Dispose();

    private static Task LimitAsync(InterceptingPacketEventArgs args)
    {
        if (args.Packet is MqttConnAckPacket { ReasonCode: MqttConnectReasonCode.Success } answer)
        {
            answer.MaximumQoS = MqttQualityOfServiceLevel.AtLeastOnce;
            answer.RetainAvailable = false;
            answer.SubscriptionIdentifiersAvailable = false;
            answer.TopicAliasMaximum = 0;
            answer.SessionExpiryInterval = 0;
            answer.MaximumPacketSize = MaxPacketBytes;
        }

        return Task.CompletedTask;
    }

    private async Task PublishAsync(InterceptingPublishEventArgs args)
    {
        args.ProcessPublish = false;
        if (args.SessionItems[NodeConnection.ItemKey] is not NodeConnection connection)
        {
            args.CloseConnection = true;
            return;
        }

        var verdict = await upstream.AcceptAsync(connection, args.ApplicationMessage, args.CancellationToken);
        args.Response.ReasonCode = verdict.Acknowledgement;
        args.Response.ReasonString = verdict.Reason;
        if (verdict.Disconnect is { } reason)
        {
            args.CloseConnection = true;
            await DisconnectAsync(connection.Node, reason, verdict.Reason);
        }
    }

    private Task ConnectedAsync(ClientConnectedEventArgs args)
    {
        if (args.SessionItems[NodeConnection.ItemKey] is NodeConnection connection)
        {
            presence.Connected(connection);

            // Runs at once if the node was revoked since it was validated.
            connection.Cut = connection.Identity.Revoked.Register(
                static state =>
                {
                    var (broker, node) = ((MqttBroker, string))state!;
                    _ = Task.Run(() => broker.DisconnectAsync(node, MqttDisconnectReasonCode.NotAuthorized, "revoked"), CancellationToken.None);
                },
                (this, connection.Node));
        }

        return Task.CompletedTask;
    }

    private Task DisconnectedAsync(ClientDisconnectedEventArgs args)
    {
        if (args.SessionItems[NodeConnection.ItemKey] is NodeConnection connection)
        {
            connection.Cut.Unregister();
            presence.Disconnected(connection);
        }

        return Task.CompletedTask;
    }

    private async Task DisconnectAsync(string node, MqttDisconnectReasonCode reason, string? text)
    {
        try
        {
            await server!.DisconnectClientAsync(node, new MqttServerClientDisconnectOptions { ReasonCode = reason, ReasonString = text });
        }
        catch (InvalidOperationException)
        {
            // It is gone already.
        }
    }
}
