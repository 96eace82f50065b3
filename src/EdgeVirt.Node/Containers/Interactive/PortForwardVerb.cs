using System.Net;
using System.Net.Sockets;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Linux;
using EdgeVirt.Node.Control;

namespace EdgeVirt.Node.Containers.Interactive;

/// <summary>
/// Carries one TCP connection to a port of a workload. It is made inside the workload's network, so it also reaches programs
/// that listen on the loopback there.
/// </summary>
internal sealed class PortForwardVerb(NodeDirectories directories, RecordStore records, RunningContainers containers)
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    public ChannelVerb Verb => new(OpenChannel.VerbOneofCase.PortForward, IsLocalOnly: false, ServeAsync);

    private async Task<string> ServeAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        var request = open.PortForward;
        if (request.Port is 0 or > ushort.MaxValue)
        {
            throw new ChannelRefusedException(CloseReason.Invalid, $"{request.Port} is no port; ports are 1 to 65535.");
        }

        var sandbox = records.FindSandbox(containers.FindAny(request.Workload).SandboxId) ??
            throw new ChannelRefusedException(CloseReason.NotFound, $"Workload '{request.Workload}' has no network on this node yet.");
        if (request.Probe)
        {
            return "";
        }

        using var socket = await ConnectAsync(sandbox, (int)request.Port, ct);
        await SocketCarrier.CarryAsync(socket, channel, ct);
        return "";
    }

    private async Task<Socket> ConnectAsync(SandboxRecord sandbox, int port, CancellationToken ct)
    {
        List<IPAddress> addresses = [IPAddress.Loopback];
        if (sandbox.Address is { } own)
        {
            addresses.Add(IPAddress.Parse(own));
        }

        var why = "";
        foreach (var address in addresses)
        {
            var socket = Make(sandbox);
            try
            {
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
                limit.CancelAfter(ConnectTimeout);
                await socket.ConnectAsync(new IPEndPoint(address, port), limit.Token);
                socket.NoDelay = true;
                return socket;
            }
            catch (Exception e) when (e is SocketException || (e is OperationCanceledException && !ct.IsCancellationRequested))
            {
                socket.Dispose();
                why = e is SocketException fault ? fault.Message : $"no answer within {ConnectTimeout.TotalSeconds:0} s";
            }
        }

        throw new ChannelRefusedException(CloseReason.Failed, $"Port {port} of workload '{sandbox.Workload}': {why}.");
    }

    // A socket stays in the network namespace in which it was made.
    private Socket Make(SandboxRecord sandbox)
    {
        try
        {
            return sandbox.HostNetwork ? New() : NetworkNamespaces.Run(directories.NetworkNamespace(sandbox.Id), New);
        }
        catch (LinuxException e)
        {
            throw new ChannelRefusedException(CloseReason.Failed, $"The network of workload '{sandbox.Workload}' cannot be entered: {e.Message}");
        }

        static Socket New() => new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    }
}
