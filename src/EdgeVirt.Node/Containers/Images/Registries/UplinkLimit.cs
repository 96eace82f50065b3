using System.Net;
using System.Net.Sockets;
using EdgeVirt.Node.Networks;

namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>
/// Connects only over links that cost no more than a pull allows. Each connection is bound to the interface that was looked at,
/// so that one whose route moves to a dearer link breaks instead of following it; the next asks again.
/// </summary>
internal sealed class UplinkLimit(Uplinks uplinks, int maxCost)
{
    /// <summary>For <see cref="SocketsHttpHandler.ConnectCallback"/>.</summary>
    /// <exception cref="ImagePullException">Every way that there is costs too much.</exception>
    public async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken ct)
    {
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        var addresses = IPAddress.TryParse(host, out var literal) ? [literal] : await Dns.GetHostAddressesAsync(host, ct);
        ImagePullException? refused = null;
        SocketException? failed = null;
        foreach (var address in addresses)
        {
            try
            {
                var way = Uplinks.InterfaceTo(address);
                if (uplinks.CostOf(way) is var cost && cost > maxCost)
                {
                    refused = TooDear(host, way, cost);
                    continue;
                }

                return await ConnectAsync(new IPEndPoint(address, port), way, ct);
            }
            catch (SocketException unreachable)
            {
                failed = unreachable;
            }
        }

        throw refused ?? (Exception?)failed ?? new SocketException((int)SocketError.HostNotFound);
    }

    /// <summary>The refusal within what a client made of it; null: it failed for another reason.</summary>
    public static ImagePullException? RefusalIn(Exception exception)
    {
        for (var cause = exception; cause is not null; cause = cause.InnerException)
        {
            if (cause is ImagePullException { IsOverUplinkCost: true } refusal)
            {
                return refusal;
            }
        }

        return null;
    }

    private static async Task<Stream> ConnectAsync(IPEndPoint at, string networkInterface, CancellationToken ct)
    {
        var socket = new Socket(at.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            Uplinks.Bind(socket, networkInterface);
            await socket.ConnectAsync(at, ct);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private ImagePullException TooDear(string host, string networkInterface, int cost) =>
        new($"Pull waits: {host} is reached by {networkInterface} only, which costs {cost}, and maxUplinkCost allows {maxCost}. It goes on when a cheaper uplink is there; "
            + "raise maxUplinkCost, or bring the image to the board by 'edgevirt image import'.")
        {
            IsOverUplinkCost = true,
        };
}
