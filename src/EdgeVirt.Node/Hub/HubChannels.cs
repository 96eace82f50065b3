using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;

namespace EdgeVirt.Node.Hub;

/// <summary>
/// Opens gRPC connections to the hub. They are made when needed and disposed after use, because an idle HTTP/2
/// connection costs memory that a board has better uses for.
/// </summary>
internal sealed class HubChannels(IdentityFiles identities)
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PingEvery = TimeSpan.FromSeconds(30);

    /// <summary>As the enrolled node.</summary>
    /// <exception cref="HubUnavailableException">Not enrolled.</exception>
    public HubConnection Open()
    {
        var identity = identities.Current ?? throw new HubUnavailableException("The node is not enrolled.");
        return Open(identity.Hub, identity.Authority, identity.Certificate);
    }

    /// <summary>As anyone, trusting <paramref name="authority"/>; null: believing anyone.</summary>
    public HubConnection Open(HubAddress hub, X509Certificate2? authority, X509Certificate2? certificate = null)
    {
        string? refusal = null;
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            ConnectTimeout = ConnectTimeout,
            KeepAlivePingDelay = PingEvery,
            KeepAlivePingTimeout = ConnectTimeout,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            SslOptions = HubTrust.Options(authority, certificate, hub.Host, () => identities.Now, problem => refusal = problem),
        };
        return new HubConnection(hub, GrpcChannel.ForAddress(hub.ToUri(), new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true }), () => refusal);
    }
}

/// <summary>One connection to the hub.</summary>
internal sealed class HubConnection(HubAddress hub, GrpcChannel channel, Func<string?> refusal) : IDisposable
{
    /// <summary>For making clients.</summary>
    public CallInvoker Invoker { get; } = channel.CreateCallInvoker();

    /// <summary>Puts into words why a call failed, with the reason why the hub was not trusted where that was it.</summary>
    public HubUnavailableException Explain(RpcException e) =>
        new($"Hub {hub}: {refusal() ?? e.Status.Detail}", e);

    public void Dispose() => channel.Dispose();
}
