using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using EdgeVirt.Hub.Enrollment;
using MQTTnet.Adapter;
using MQTTnet.Diagnostics.Logger;
using MQTTnet.Formatter;
using MQTTnet.Implementations;
using MQTTnet.Server;

namespace EdgeVirt.Hub.Broker;

/// <summary>
/// Takes the broker's connections: all listen addresses, TLS with a client certificate of this hub, a bound on
/// handshake time, packet size and connections. The server's own listener has none of these bounds.
/// </summary>
internal sealed partial class BrokerListener(
    HubOptions options, CertificateAuthority authority, NodeAuthentication authentication, TimeProvider time, ILogger<BrokerListener> logger)
    : IMqttServerAdapter
{
    private const int Backlog = 512;
    private const int MaxConnections = 20_000;
    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan AcceptPause = TimeSpan.FromMilliseconds(200);

    private readonly CancellationTokenSource stopping = new();
    private readonly List<Socket> sockets = [];
    private readonly List<Task> accepting = [];
    private int connections;

    public Func<IMqttChannelAdapter, Task>? ClientHandler { get; set; }

    /// <summary>The port in use.</summary>
    public int Port { get; private set; }

    public Task StartAsync(MqttServerOptions serverOptions, IMqttNetLogger mqttLogger)
    {
        Port = options.MqttPort;
        foreach (var address in options.Listen)
        {
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            sockets.Add(socket);
            if (address.AddressFamily == AddressFamily.InterNetworkV6)
            {
                // As Kestrel does: [::] alone takes both families.
                socket.DualMode = address.Equals(IPAddress.IPv6Any) && !options.Listen.Contains(IPAddress.Any);
            }

            socket.Bind(new IPEndPoint(address, Port));
            socket.Listen(Backlog);
            Port = ((IPEndPoint)socket.LocalEndPoint!).Port;
            accepting.Add(AcceptAsync(socket, mqttLogger));
        }

        return Task.CompletedTask;
    }

    public async Task StopAsync()
    {
        await stopping.CancelAsync();
        sockets.ForEach(socket => socket.Dispose());
        await Task.WhenAll(accepting);
    }

    public void Dispose()
    {
        sockets.ForEach(socket => socket.Dispose());
        stopping.Dispose();
    }

    private async Task AcceptAsync(Socket listener, IMqttNetLogger mqttLogger)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var client = await listener.AcceptAsync(stopping.Token);
                if (Volatile.Read(ref connections) >= MaxConnections)
                {
                    client.Dispose();
                    LogFull();
                    continue;
                }

                // Each connection is on its own: ServeAsync ends in a log entry, never in an exception.
                _ = Task.Run(() => ServeAsync(client, mqttLogger), CancellationToken.None);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                if (stopping.IsCancellationRequested)
                {
                    return;
                }

                LogAcceptFailed(e);
                await Task.Delay(AcceptPause, time, CancellationToken.None);
            }
        }
    }

    private async Task ServeAsync(Socket client, IMqttNetLogger mqttLogger)
    {
        Interlocked.Increment(ref connections);
        var remote = client.RemoteEndPoint;
        try
        {
            client.NoDelay = true;
            client.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            await using var tls = new SslStream(new NetworkStream(client, ownsSocket: true));
            await HandshakeAsync(tls);
            using var certificate = X509CertificateLoader.LoadCertificate(tls.RemoteCertificate!.Export(X509ContentType.Cert));
            var bounded = new PacketSizeGuard(tls, MqttBroker.MaxPacketBytes);
            var channel = new MqttTcpChannel(bounded, client.LocalEndPoint, remote, certificate);
            using var adapter = new MqttChannelAdapter(channel, new MqttPacketFormatterAdapter(new MqttBufferWriter(4096, 65535)), mqttLogger);
            await (ClientHandler?.Invoke(adapter) ?? Task.CompletedTask);
        }
        catch (Exception e) when (e is AuthenticationException or IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            LogConnectionFailed(remote, e.Message);
        }
        catch (Exception e)
        {
            LogConnectionBroke(e, remote);
        }
        finally
        {
            client.Dispose();
            Interlocked.Decrement(ref connections);
        }
    }

    private async Task HandshakeAsync(SslStream tls)
    {
        using var timeout = new CancellationTokenSource(HandshakeTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stopping.Token);
        await tls.AuthenticateAsServerAsync(
            new SslServerAuthenticationOptions
            {
                ServerCertificateContext = SslStreamCertificateContext.Create(authority.ServerCertificate, null, offline: true),
                ClientCertificateRequired = true,
                CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
                RemoteCertificateValidationCallback = (_, shown, _, _) => shown is X509Certificate2 certificate && authentication.IsOurs(certificate),
            },
            either.Token);
    }

    [LoggerMessage(LogLevel.Debug, "MQTT connection from {Remote} ended: {Reason}")]
    private partial void LogConnectionFailed(EndPoint? remote, string reason);

    [LoggerMessage(LogLevel.Error, "MQTT connection from {Remote} broke")]
    private partial void LogConnectionBroke(Exception exception, EndPoint? remote);

    [LoggerMessage(LogLevel.Warning, "cannot accept MQTT connections; trying again")]
    private partial void LogAcceptFailed(Exception exception);

    [LoggerMessage(LogLevel.Warning, "an MQTT connection was turned away: as many as there may be are open")]
    private partial void LogFull();
}
