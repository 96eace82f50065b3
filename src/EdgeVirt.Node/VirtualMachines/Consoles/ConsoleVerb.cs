using System.Net.Sockets;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Control;
using Google.Protobuf;

namespace EdgeVirt.Node.VirtualMachines.Consoles;

/// <summary>
/// The serial console of a machine. What is shown comes from the log that QEMU writes, so that nobody misses anything by coming late and the guest
/// waits for nobody; what is typed goes into QEMU's socket, which whoever types has for himself.
/// </summary>
internal sealed class ConsoleVerb(RunningMachines machines, ConsoleSeats seats, TimeProvider time)
{
    /// <summary>Beginning of the names of seats at consoles.</summary>
    public const string Place = "console ";

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LookIdle = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan CheckAlive = TimeSpan.FromSeconds(1);

    public ChannelVerb Verb => new(OpenChannel.VerbOneofCase.Console, IsLocalOnly: false, ServeAsync);

    private async Task<string> ServeAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        var request = open.Console;
        using var writer = new StreamMessageWriter(channel.SendAsync);
        if (!request.Follow)
        {
            using var log = ConsoleLog.Open(machines.PathsOf(machines.Find(request.Machine)).ConsoleLog, request.Tail);
            await SendNewAsync(log, writer, ct);
            return "";
        }

        var machine = machines.FindRunning(request.Machine);
        if (request.ReadOnly)
        {
            await FollowAsync(machine, request, writer, isTyped: false, ct);
            return "";
        }

        using var seat = await seats.TakeAsync(Place + machine.Record.Id, $"The console of '{request.Machine}'", open.Caller, request.Force, ct);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct, seat.Lost);
        try
        {
            await TypeAsync(machine, request, channel, writer, over.Token);
            return "";
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested && seat.TakenOver is { } refusal)
        {
            throw refusal;
        }
    }

    private async Task TypeAsync(RunningMachine machine, ConsoleRequest request, ServedChannel channel, StreamMessageWriter writer, CancellationToken ct)
    {
        using var socket = await ConnectAsync(machine, ct);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var draining = DrainAsync(socket, over.Token);
        var input = ReadInputAsync(socket, channel, over.Token);
        try
        {
            await FollowAsync(machine, request, writer, isTyped: true, ct);
        }
        finally
        {
            await over.CancelAsync();
            await Task.WhenAll(draining, input).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task<Socket> ConnectAsync(RunningMachine machine, CancellationToken ct)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(machine.Paths.Serial), ct);
            return socket;
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new ChannelRefusedException(CloseReason.Failed, $"QEMU's console cannot be reached: {e.Message}. Try once more; a machine that was just started has it in a moment.");
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    // Until the machine has ended.
    private async Task FollowAsync(RunningMachine machine, ConsoleRequest request, StreamMessageWriter writer, bool isTyped, CancellationToken ct)
    {
        using var log = ConsoleLog.Open(machine.Paths.ConsoleLog, request.Tail);
        var looked = time.GetTimestamp();
        var spoke = looked;
        while (true)
        {
            if (await SendNewAsync(log, writer, ct))
            {
                spoke = time.GetTimestamp();
            }

            if (time.GetElapsedTime(looked) > CheckAlive)
            {
                looked = time.GetTimestamp();
                if (!machine.IsAlive)
                {
                    await SendNewAsync(log, writer, ct);
                    await writer.WriteAsync(Words($"virtual machine '{request.Machine}' has ended; 'edgevirt describe vm {request.Machine}' says how"), ct);
                    return;
                }
            }

            // An echo is waited for; what nobody touches may come a moment later.
            await Task.Delay(isTyped || time.GetElapsedTime(spoke) < CheckAlive ? Look : LookIdle, time, ct);
        }
    }

    // True: there was something.
    private static async Task<bool> SendNewAsync(ConsoleLog? log, StreamMessageWriter writer, CancellationToken ct)
    {
        var buffer = new byte[StreamMessages.DataBytes];
        var sent = false;
        while (log?.Read(buffer, out var missed) is > 0 and var count)
        {
            if (missed)
            {
                await writer.WriteAsync(Words("output is missing here: the guest wrote more than could be sent"), ct);
            }

            await writer.WriteAsync(new StreamMessage { Data = ByteString.CopyFrom(buffer, 0, count) }, ct);
            sent = true;
        }

        return sent;
    }

    // The caller's terminal may be raw.
    private static StreamMessage Words(string text) => new() { Error = ByteString.CopyFromUtf8($"\r\n[{text}]\r\n") };

    // The log has all of it. QEMU would wait for who does not take it.
    private static async Task DrainAsync(Socket socket, CancellationToken ct)
    {
        var buffer = new byte[4096];
        try
        {
            while (await socket.ReceiveAsync(buffer, ct) > 0)
            {
            }
        }
        catch (SocketException)
        {
            // QEMU has ended; whoever follows the log sees that.
        }
    }

    private static async Task ReadInputAsync(Socket socket, ServedChannel channel, CancellationToken ct)
    {
        await foreach (var message in StreamMessages.ReadAsync(channel.ReadAllAsync(ct), ct))
        {
            try
            {
                for (var data = message.Data.Memory; !data.IsEmpty;)
                {
                    data = data[await socket.SendAsync(data, ct)..];
                }
            }
            catch (SocketException)
            {
                return;
            }
        }
    }
}
