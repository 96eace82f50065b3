using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Hub.Enrollment;
using Google.Protobuf;
using Grpc.Net.Client;
using MQTTnet;
using MQTTnet.Formatter;
using MQTTnet.Protocol;

namespace EdgeVirt.Hub.Tests;

/// <summary>What a node has: a key, a certificate, and clients that show it.</summary>
internal sealed class NodeClient(NodeHub hub) : IAsyncDisposable
{
    private readonly List<IDisposable> open = [];

    public ECDsa Key { get; init; } = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public X509Certificate2? Certificate { get; set; }

    public string Name { get; private set; } = "";

    public ByteString Request => RequestOf(Key);

    public EdgeVirt.Contracts.Protos.Enrollment.EnrollmentClient Enrollment => new(Grpc());

    public EdgeVirt.Contracts.Protos.DesiredState.DesiredStateClient DesiredState => new(Grpc());

    public EdgeVirt.Contracts.Protos.Tunnel.TunnelClient Tunnel => new(Grpc());

    public static ByteString RequestOf(ECDsa key) =>
        ByteString.CopyFrom(new CertificateRequest("CN=board", key, HashAlgorithmName.SHA256).CreateSigningRequest());

    public async Task<EnrollResponse> EnrollAsync(string token, string name = "")
    {
        var answer = await Enrollment.EnrollAsync(new EnrollRequest { ClaimToken = token, CertificateRequestDer = Request, RequestedName = name });
        Name = answer.NodeName;
        Take(answer.CertificateDer);
        return answer;
    }

    public void Take(ByteString certificate)
    {
        using var bare = X509CertificateLoader.LoadCertificate(certificate.Span);
        Certificate = bare.CopyWithPrivateKey(Key);
    }

    /// <summary>Connects over MQTT; the caller looks at the result.</summary>
    public async Task<(IMqttClient Client, MqttClientConnectResult Result)> ConnectAsync(
        string? clientId = null, Action<MqttClientOptionsBuilder>? change = null)
    {
        var client = new MqttClientFactory().CreateMqttClient();
        open.Add(client);
        var options = new MqttClientOptionsBuilder()
            .WithTcpServer("127.0.0.1", hub.MqttPort)
            .WithProtocolVersion(MqttProtocolVersion.V500)
            .WithClientId(clientId ?? Name)
            .WithCleanStart()
            .WithTimeout(TimeSpan.FromSeconds(10))
            .WithTlsOptions(tls => tls
                .WithCertificateValidationHandler(args => IsHub(args.Certificate))
                .WithClientCertificates(Certificate is null ? [] : [Certificate]));
        change?.Invoke(options);
        return (client, await client.ConnectAsync(options.Build()));
    }

    public Task<MqttClientPublishResult> PublishAsync(
        IMqttClient client, TopicChannel channel, byte[] payload, string? node = null, MqttQualityOfServiceLevel quality = MqttQualityOfServiceLevel.AtLeastOnce) =>
        client.PublishAsync(new MqttApplicationMessageBuilder()
            .WithTopic(new Topic(node ?? Name, channel).ToString()).WithPayload(payload).WithQualityOfServiceLevel(quality).Build());

    /// <summary>Ends when the hub cuts the connection.</summary>
    public static Task<MqttClientDisconnectedEventArgs> DisconnectionOf(IMqttClient client)
    {
        var gone = new TaskCompletionSource<MqttClientDisconnectedEventArgs>(TaskCreationOptions.RunContinuationsAsynchronously);
        client.DisconnectedAsync += args =>
        {
            gone.TrySetResult(args);
            return Task.CompletedTask;
        };
        return gone.Task.WaitAsync(TimeSpan.FromSeconds(10));
    }

    public ValueTask DisposeAsync()
    {
        open.ForEach(item => item.Dispose());
        Certificate?.Dispose();
        Key.Dispose();
        return ValueTask.CompletedTask;
    }

    private bool IsHub(X509Certificate? shown) =>
        shown is X509Certificate2 certificate && NodeCertificate.IsIssuedBy(hub.Get<CertificateAuthority>().Authority, certificate);

    private GrpcChannel Grpc()
    {
        var tls = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = (_, shown, _, _) => IsHub(shown) };
        if (Certificate is { } certificate)
        {
            tls.ClientCertificates = [certificate];
            tls.LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate;
        }

        var channel = GrpcChannel.ForAddress(
            $"https://127.0.0.1:{hub.NodePort}", new GrpcChannelOptions { HttpHandler = new SocketsHttpHandler { SslOptions = tls }, DisposeHttpClient = true });
        open.Add(channel);
        return channel;
    }
}
