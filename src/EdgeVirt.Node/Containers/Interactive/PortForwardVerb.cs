using System.Net;
using System.Net.Sockets;
using EdgeVirt.Contracts.Channels;
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
        await CarryAsync(socket, channel, ct);
        return "";
    }

    private static async Task CarryAsync(Socket socket, ServedChannel channel, CancellationToken ct)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var writer = new StreamMessageWriter(channel.SendAsync);
        var incoming = FromCallerAsync(socket, channel, over.Token);
        var outgoing = ToCallerAsync(socket, writer, over.Token);
        try
        {
            // Each direction ends by itself; whichever fails ends both.
            if (await Task.WhenAny(incoming, outgoing) == incoming)
            {
                await incoming;
            }

            await outgoing;
            await incoming;
        }
        catch (Exception e) when (e is SocketException or IOException && !ct.IsCancellationRequested)
        {
            throw new ChannelRefusedException(CloseReason.Failed, $"The connection broke: {e.Message}");
        }
        finally
        {
            if (!incoming.IsCompletedSuccessfully || !outgoing.IsCompletedSuccessfully)
            {
                // Not an end in good order: the program shall see that, too.
                socket.LingerState = new LingerOption(true, 0);
            }

            await over.CancelAsync();
            socket.Dispose();
            await Task.WhenAll(incoming, outgoing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task FromCallerAsync(Socket socket, ServedChannel channel, CancellationToken ct)
    {
        await foreach (var message in StreamMessages.ReadAsync(channel.ReadAllAsync(ct), ct))
        {
            if (message.KindCase == StreamMessage.KindOneofCase.End)
            {
                socket.Shutdown(SocketShutdown.Send);
                return;
            }

            for (var data = message.Data.Memory; !data.IsEmpty;)
            {
                data = data[await socket.SendAsync(data, ct)..];
            }
        }
    }

    private static async Task ToCallerAsync(Socket socket, StreamMessageWriter writer, CancellationToken ct)
    {
        var buffer = new byte[StreamMessages.DataBytes];
        while (await socket.ReceiveAsync(buffer, ct) is var count and > 0)
        {
            await writer.WriteAsync(new StreamMessage { Data = Google.Protobuf.ByteString.CopyFrom(buffer, 0, count) }, ct);
        }

        await writer.WriteAsync(new StreamMessage { End = true }, ct);
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
