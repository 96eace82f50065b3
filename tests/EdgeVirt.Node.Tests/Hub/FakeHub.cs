using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MQTTnet;
using MQTTnet.Server;

namespace EdgeVirt.Node.Tests.Hub;

/// <summary>A hub of real parts (Kestrel, gRPC, an MQTT broker, TLS) whose answers a test decides.</summary>
internal sealed class FakeHub : IAsyncDisposable
{
    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly WebApplication app;
    private readonly MqttServer broker;

    private FakeHub(string serverName)
    {
        var request = new CertificateRequest("CN=fake hub", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        Authority = request.CreateSelfSigned(Now.AddDays(-400), Now.AddYears(1));
        using var serverKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var server = Issue(new CertificateRequest("CN=server", serverKey, HashAlgorithmName.SHA256), "1.3.6.1.5.5.7.3.1", serverName, Now.AddHours(-1), Now.AddDays(1));
        Server = server.CopyWithPrivateKey(serverKey);
        app = MakeApp();
        (broker, MqttPort) = MakeBroker();
    }

    public X509Certificate2 Authority { get; }

    public int MqttPort { get; }

    public string Address { get; private set; } = "";

    public ConcurrentBag<string> Tokens { get; } = [];

    /// <summary>The key that used a token; as at the real hub, no other may.</summary>
    public ConcurrentDictionary<string, string> Users { get; } = [];

    /// <summary>Enrolls, and has the answer lost on its way.</summary>
    public bool LosesAnswers { get; set; }

    public bool Revoked { get; set; }

    /// <summary>How long issued certificates have lived, and how long they will yet.</summary>
    public (TimeSpan Lived, TimeSpan Left) Validity { get; set; } = (TimeSpan.Zero, TimeSpan.FromDays(30));

    public int Enrollments { get; private set; }

    public int Renewals { get; private set; }

    public (ulong Revision, byte[] Bytes)? Offer { get; set; }

    /// <summary>Breaks the session after so many chunks.</summary>
    public int? BreakAfterChunks { get; set; }

    public Func<byte[], byte[]> Damage { get; set; } = chunk => chunk;

    public Channel<Hello> Hellos { get; } = Channel.CreateUnbounded<Hello>();

    public Channel<Verdict> Verdicts { get; } = Channel.CreateUnbounded<Verdict>();

    public Channel<(Topic Topic, byte[] Payload)> Messages { get; } = Channel.CreateUnbounded<(Topic, byte[])>();

    public Channel<FakeTunnel> Tunnels { get; } = Channel.CreateUnbounded<FakeTunnel>();

    public ConcurrentBag<string> Clients { get; } = [];

    private X509Certificate2 Server { get; }

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    public static async Task<FakeHub> StartAsync(string serverName = "localhost")
    {
        for (var attempt = 0; ; attempt++)
        {
            var hub = new FakeHub(serverName);
            try
            {
                await hub.broker.StartAsync();
                await hub.app.StartAsync();
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse && attempt < 5)
            {
                // The broker cannot choose a free port itself, and somebody took the one that was free a moment before.
                await hub.DisposeAsync();
                continue;
            }

            var address = hub.app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
            hub.Address = $"localhost:{new Uri(address).Port}";
            return hub;
        }
    }

    public ClaimToken NewToken()
    {
        var token = ClaimToken.Create("test", Authority.RawData);
        Tokens.Add(token.Reveal());
        return token;
    }

    public async Task PokeAsync(string node, PokeReason reason)
    {
        var session = await broker.GetSessionAsync(node);
        await session.DeliverApplicationMessageAsync(new MqttApplicationMessageBuilder()
            .WithTopic(new Topic(node, TopicChannel.Poke).ToString()).WithPayload(new Poke { Reason = reason }.ToByteArray()).Build());
    }

    public async Task DropClientsAsync()
    {
        foreach (var client in await broker.GetClientsAsync())
        {
            await client.DisconnectAsync();
        }
    }

    /// <summary>The next message of a channel; others are passed over.</summary>
    public async Task<byte[]> NextAsync(TopicChannel channel, CancellationToken ct)
    {
        await foreach (var (topic, payload) in Messages.Reader.ReadAllAsync(ct))
        {
            if (topic.Channel == channel)
            {
                return payload;
            }
        }

        throw new InvalidOperationException();
    }

    /// <summary>Whether a token may be used by the key of a request.</summary>
    public bool Takes(EnrollRequest request)
    {
        var asked = CertificateRequest.LoadSigningRequest(request.CertificateRequestDer.ToByteArray(), HashAlgorithmName.SHA256);
        var key = Convert.ToHexString(asked.PublicKey.ExportSubjectPublicKeyInfo());
        return Tokens.Contains(request.ClaimToken) && Users.GetOrAdd(request.ClaimToken, key) == key;
    }

    public EnrollResponse Enroll(EnrollRequest request)
    {
        Enrollments++;
        return new EnrollResponse
        {
            NodeName = request.RequestedName.Length > 0 ? request.RequestedName : "node-1",
            CertificateDer = IssueNode(request.CertificateRequestDer, request.RequestedName.Length > 0 ? request.RequestedName : "node-1"),
            AuthorityDer = ByteString.CopyFrom(Authority.RawData),
            HubTimeUnixMs = Now.ToUnixTimeMilliseconds(),
            MqttPort = (uint)MqttPort,
        };
    }

    public RenewResponse Renew(RenewRequest request, string node)
    {
        Renewals++;
        return new RenewResponse
        {
            CertificateDer = IssueNode(request.CertificateRequestDer, node),
            AuthorityDer = ByteString.CopyFrom(Authority.RawData),
            HubTimeUnixMs = Now.ToUnixTimeMilliseconds(),
        };
    }

    public async ValueTask DisposeAsync()
    {
        if (broker.IsStarted)
        {
            await broker.StopAsync();
        }

        broker.Dispose();
        await app.DisposeAsync();
        key.Dispose();
    }

    private ByteString IssueNode(ByteString request, string node)
    {
        var asked = CertificateRequest.LoadSigningRequest(request.ToByteArray(), HashAlgorithmName.SHA256);
        var fresh = new CertificateRequest(new X500DistinguishedName($"CN={node}"), asked.PublicKey, HashAlgorithmName.SHA256);
        using var certificate = Issue(fresh, "1.3.6.1.5.5.7.3.2", node, Now - Validity.Lived, Now + Validity.Left);
        return ByteString.CopyFrom(certificate.RawData);
    }

    private X509Certificate2 Issue(CertificateRequest request, string usage, string name, DateTimeOffset from, DateTimeOffset to)
    {
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], false));
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        return request.Create(Authority, from, to, RandomNumberGenerator.GetBytes(16));
    }

    private WebApplication MakeApp()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(this);
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.UseHttps(https =>
            {
                https.ServerCertificate = Server;
                https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
                https.ClientCertificateValidation = (_, _, _) => true;
            });
        }));
        var made = builder.Build();
        made.MapGrpcService<FakeEnrollment>();
        made.MapGrpcService<FakeDesiredState>();
        made.MapGrpcService<FakeTunnelService>();
        return made;
    }

    private (MqttServer Broker, int Port) MakeBroker()
    {
        using var probe = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        var port = ((IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();
        var made = new MqttServerFactory().CreateMqttServer(new MqttServerOptionsBuilder()
            .WithoutDefaultEndpoint()
            .WithEncryptedEndpoint()
            .WithEncryptedEndpointPort(port)
            .WithEncryptedEndpointBoundIPAddress(IPAddress.Loopback)
            .WithEncryptionCertificate(Server)
            .WithEncryptionSslProtocol(SslProtocols.None)
            .WithClientCertificate((_, certificate, _, _) => certificate is not null)
            .Build());
        made.InterceptingPublishAsync += message =>
        {
            message.ProcessPublish = false;
            if (Topic.TryParse(message.ApplicationMessage.Topic, out var topic))
            {
                Messages.Writer.TryWrite((topic, System.Buffers.BuffersExtensions.ToArray(message.ApplicationMessage.Payload)));
            }

            return Task.CompletedTask;
        };
        made.ClientConnectedAsync += client =>
        {
            Clients.Add(client.ClientId);
            return Task.CompletedTask;
        };
        return (made, port);
    }
}
