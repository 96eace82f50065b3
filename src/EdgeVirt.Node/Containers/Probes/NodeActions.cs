using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using EdgeVirt.Contracts.Resources;
using Grpc.Core;

namespace EdgeVirt.Node.Containers.Probes;

/// <summary>The actions that the node does by network.</summary>
/// <param name="newSocket">Gives a TCP socket in the node's network.</param>
internal sealed class NodeActions(Func<Socket> newSocket) : IDisposable
{
    private readonly Lazy<HttpMessageInvoker> http = new(() => new HttpMessageInvoker(HandlerFor(newSocket)));

    /// <summary>Does an action at an address; never longer than <paramref name="timeout"/>.</summary>
    public async Task<ActionAnswer> ActAsync(IPAddress address, ContainerAction action, TimeSpan timeout, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(timeout);
        try
        {
            return action switch
            {
                ContainerAction.HttpGet get => await GetAsync(address, get.Request, limit.Token),
                ContainerAction.TcpSocket socket => await ConnectAsync(new IPEndPoint(address, socket.Port), limit.Token),
                ContainerAction.Grpc grpc => await GrpcHealth.CheckAsync(new IPEndPoint(address, grpc.Port), grpc.Service, HandlerFor(newSocket), limit.Token),
                _ => throw new InvalidOperationException($"{action} is not done by network"),
            };
        }
        catch (Exception) when (limit.IsCancellationRequested)
        {
            ct.ThrowIfCancellationRequested();
            return ActionAnswer.Failed($"no answer within {timeout.TotalSeconds:0.#} s");
        }
        catch (Exception e) when (e is HttpRequestException or SocketException or IOException)
        {
            return ActionAnswer.Failed((e.InnerException as SocketException ?? e).Message);
        }
        catch (RpcException e)
        {
            return ActionAnswer.Failed(e.StatusCode == StatusCode.Unimplemented ? "it does not serve grpc.health.v1.Health" : $"gRPC status {e.StatusCode}");
        }
    }

    public void Dispose()
    {
        if (http.IsValueCreated)
        {
            http.Value.Dispose();
        }
    }

    private async Task<ActionAnswer> GetAsync(IPAddress address, HttpGetAction get, CancellationToken ct)
    {
        var scheme = get.Scheme == HttpScheme.HTTPS ? "https" : "http";
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"{scheme}://{new IPEndPoint(address, get.Port)}{get.Path ?? "/"}"));
        request.Headers.ConnectionClose = true;
        request.Headers.TryAddWithoutValidation("User-Agent", "edgevirt-probe");
        foreach (var header in get.HttpHeaders ?? [])
        {
            request.Headers.Remove(header.Name);
            request.Headers.TryAddWithoutValidation(header.Name, header.Value);
        }

        using var response = await http.Value.SendAsync(request, ct);
        var code = (int)response.StatusCode;
        return code is >= 200 and < 400 ? ActionAnswer.Success : ActionAnswer.Failed($"HTTP status {code}");
    }

    private async Task<ActionAnswer> ConnectAsync(IPEndPoint at, CancellationToken ct)
    {
        using var socket = newSocket();
        await socket.ConnectAsync(at, ct);
        return ActionAnswer.Success;
    }

    // Nothing is kept open between two probes, and no timer looks after what is.
    private static SocketsHttpHandler HandlerFor(Func<Socket> newSocket) => new()
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
        PooledConnectionLifetime = TimeSpan.Zero,
#pragma warning disable CA5359 // As in Kubernetes: a probe asks whether there is an answer, not whose it is.
        SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = (_, _, _, _) => true },
#pragma warning restore CA5359
        ConnectCallback = async (context, ct) =>
        {
            var socket = newSocket();
            try
            {
                await socket.ConnectAsync(IPAddress.Parse(context.DnsEndPoint.Host), context.DnsEndPoint.Port, ct);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        },
    };
}
