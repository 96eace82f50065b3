using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using EdgeVirt.Contracts;
using MQTTnet;
using MQTTnet.Formatter;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace EdgeVirt.AotSmoke;

internal static class MqttChecks
{
    public static async Task RoundTripAsync()
    {
        using var pki = new Pki();
        var port = FreePort();
        var arrived = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var returned = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var server = new MqttServerFactory().CreateMqttServer(new MqttServerOptionsBuilder()
            .WithoutDefaultEndpoint()
            .WithEncryptedEndpoint()
            .WithEncryptedEndpointPort(port)
            .WithEncryptedEndpointBoundIPAddress(IPAddress.Loopback)
            .WithEncryptionCertificate(pki.Server)
            .WithEncryptionSslProtocol(SslProtocols.None)
            .Build());
        server.InterceptingPublishAsync += message =>
        {
            message.ProcessPublish = false;
            arrived.TrySetResult($"{message.ApplicationMessage.Topic} {message.ApplicationMessage.ConvertPayloadToString()}");
            return Task.CompletedTask;
        };
        await server.StartAsync();

        using var client = new MqttClientFactory().CreateMqttClient();
        client.ApplicationMessageReceivedAsync += message =>
        {
            returned.TrySetResult(System.Text.Encoding.UTF8.GetString(message.ApplicationMessage.Payload.ToArray()));
            return Task.CompletedTask;
        };
        await client.ConnectAsync(new MqttClientOptionsBuilder()
            .WithTcpServer("localhost", port)
            .WithClientId("smoke")
            .WithProtocolVersion(MqttProtocolVersion.V500)
            .WithTlsOptions(tls => tls.UseTls().WithTargetHost("localhost").WithCertificateValidationHandler(seen => pki.Trusts(seen.Certificate)))
            .Build());

        var topic = new Topic("smoke", TopicChannel.Telemetry).ToString();
        var acknowledged = await client.PublishStringAsync(topic, "up", MqttQualityOfServiceLevel.AtLeastOnce);
        Check.That(acknowledged.IsSuccess, "the broker acknowledges");
        Check.That(await arrived.Task == $"{topic} up", "the message arrived whole");

        var session = await server.GetSessionAsync("smoke");
        var down = new MqttApplicationMessageBuilder().WithTopic(new Topic("smoke", TopicChannel.Poke).ToString()).WithPayload("down").Build();
        await session.DeliverApplicationMessageAsync(down);
        Check.That(await returned.Task == "down", "the answer came back");
        await client.DisconnectAsync();
        await server.StopAsync();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
