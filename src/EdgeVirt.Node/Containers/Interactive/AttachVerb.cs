using System.Net.Sockets;
using System.Text.Json;
using System.Threading.Channels;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Terminals;
using EdgeVirt.Node.Containers.Oci;
using EdgeVirt.Node.Control;
using Google.Protobuf;

namespace EdgeVirt.Node.Containers.Interactive;

/// <summary>
/// Output and input of a container's main program, by conmon's attach socket. conmon waits for who reads slowly, and the
/// program for conmon: so what comes is taken at once, and a caller that does not keep up is cut off.
/// </summary>
internal sealed class AttachVerb(NodeDirectories directories, RunningContainers containers, RecordStore records, IContainerRuntime runtime, TimeProvider time)
{
    // conmon puts one byte before each packet: which of the two it is.
    private const byte Errors = 3;
    private const int MostPacket = 32 << 10;
    private const int MostInput = 8 << 10;
    private const int QueuedPackets = 64;
    private static readonly TimeSpan ExitPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan ExitPatience = TimeSpan.FromSeconds(5);

    public ChannelVerb Verb => new(OpenChannel.VerbOneofCase.Attach, IsLocalOnly: false, ServeAsync);

    private async Task<string> ServeAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        var request = open.Attach;
        var container = containers.Find(request.Workload, request.Container);
        Check(request, container);
        using var socket = Connect(container);
        using var writer = new StreamMessageWriter(channel.SendAsync);
        if (request.Tty)
        {
            Resize(container, request.Size);
        }

        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var packets = Channel.CreateBounded<StreamMessage>(QueuedPackets);
        var receiving = ReceiveAsync(socket, packets.Writer, over.Token);
        var sending = PassOnAsync(packets.Reader, writer, over.Token);
        var input = ReadInputAsync(socket, container, request, channel, over.Token);
        try
        {
            // Either can fail while the other waits: for output, or for a caller that takes nothing more.
            await await Task.WhenAny(receiving, sending);
            await sending;
            if (await ExitAsync(container, ct) is { } code)
            {
                await writer.WriteAsync(new StreamMessage { ExitCode = (uint)code }, ct);
            }

            return "";
        }
        finally
        {
            await over.CancelAsync();
            await Task.WhenAll(receiving, sending, input).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Check(AttachRequest request, ContainerRecord container)
    {
        var (stdin, tty) = Streams(container);
        if (request.Stdin && !stdin)
        {
            throw new ChannelRefusedException(CloseReason.Invalid, $"Container '{container.Container}' has no input: set stdin: true in its spec, or leave out -i.");
        }

        if (request.Tty && !tty)
        {
            throw new ChannelRefusedException(CloseReason.Invalid, $"Container '{container.Container}' has no terminal: set tty: true in its spec, or leave out -t.");
        }
    }

    private (bool Stdin, bool Tty) Streams(ContainerRecord container)
    {
        try
        {
            using var config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(directories.Bundle(container.Id), "config.json")));
            var root = config.RootElement;
            return (
                root.GetProperty("annotations").TryGetProperty(ContainerConfig.StdinAnnotation, out var stdin) && stdin.ValueEquals("true"),
                root.GetProperty("process").TryGetProperty("terminal", out var tty) && tty.GetBoolean());
        }
        catch (Exception e) when (e is IOException or JsonException or KeyNotFoundException)
        {
            throw new ChannelRefusedException(CloseReason.Failed, $"The container's bundle cannot be read: {e.Message}");
        }
    }

    private Socket Connect(ContainerRecord container)
    {
        try
        {
            return PacketSocket.Connect(Path.Combine(directories.Bundle(container.Id), "attach"));
        }
        catch (Exception e) when (e is SocketException or LinuxException)
        {
            throw new ChannelRefusedException(CloseReason.Failed, $"The container's monitor cannot be reached: {e.Message}. Restart the workload.");
        }
    }

    private static async Task ReceiveAsync(Socket socket, ChannelWriter<StreamMessage> packets, CancellationToken ct)
    {
        var buffer = new byte[MostPacket + 1];
        try
        {
            while (await socket.ReceiveAsync(buffer, ct) is > 0 and var count)
            {
                var data = ByteString.CopyFrom(buffer.AsSpan(1, count - 1));
                if (!packets.TryWrite(buffer[0] == Errors ? new StreamMessage { Error = data } : new StreamMessage { Data = data }))
                {
                    throw new ChannelRefusedException(
                        CloseReason.Failed, "More was written than could be sent: it was cut off, so that the container need not wait. What was written is in its log (edgevirt logs).");
                }
            }

            packets.Complete();
        }
        catch (SocketException)
        {
            // The monitor has ended.
            packets.Complete();
        }
        catch (Exception e)
        {
            packets.Complete(e);
            throw;
        }
    }

    private static async Task PassOnAsync(ChannelReader<StreamMessage> packets, StreamMessageWriter writer, CancellationToken ct)
    {
        await foreach (var packet in packets.ReadAllAsync(ct))
        {
            await writer.WriteAsync(packet, ct);
        }
    }

    private async Task ReadInputAsync(Socket socket, ContainerRecord container, AttachRequest request, ServedChannel channel, CancellationToken ct)
    {
        await foreach (var message in StreamMessages.ReadAsync(channel.ReadAllAsync(ct), ct))
        {
            switch (message.KindCase)
            {
                case StreamMessage.KindOneofCase.Data when request.Stdin:
                    await SendAsync(socket, message.Data.Memory, ct);
                    break;
                case StreamMessage.KindOneofCase.Resize when request.Tty:
                    Resize(container, message.Resize);
                    break;
            }
        }
    }

    private static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> data, CancellationToken ct)
    {
        try
        {
            for (; !data.IsEmpty; data = data[Math.Min(MostInput, data.Length)..])
            {
                await socket.SendAsync(data[..Math.Min(MostInput, data.Length)], ct);
            }
        }
        catch (SocketException)
        {
            // The program has ended; what is received says so.
        }
    }

    private void Resize(ContainerRecord container, WindowSize? size)
    {
        if (size is { Columns: > 0 and <= ushort.MaxValue, Rows: > 0 and <= ushort.MaxValue })
        {
            ConmonControl.Resize(directories.Bundle(container.Id), size.Rows, size.Columns);
        }
    }

    // Whoever is first writes it down: the agent's own loop, or the monitor's file that it has not seen yet.
    private async Task<int?> ExitAsync(ContainerRecord container, CancellationToken ct)
    {
        var began = time.GetTimestamp();
        while (time.GetElapsedTime(began) < ExitPatience)
        {
            if (records.FindContainer(container.Id) is not { } record)
            {
                return null;
            }

            if ((record.Exit ?? runtime.ExitOf(record)) is { } exit)
            {
                return exit.Code;
            }

            await Task.Delay(ExitPause, time, ct);
        }

        return null;
    }
}
