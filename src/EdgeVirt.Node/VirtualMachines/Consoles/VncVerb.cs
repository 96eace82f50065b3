using System.Net.Sockets;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Containers.Interactive;
using EdgeVirt.Node.Control;

namespace EdgeVirt.Node.VirtualMachines.Consoles;

/// <summary>Carries one connection of a VNC client to the display of a machine.</summary>
internal sealed class VncVerb(RunningMachines machines, ConsoleSeats seats)
{
    private const string Place = "display ";

    public ChannelVerb Verb => new(OpenChannel.VerbOneofCase.Vnc, IsLocalOnly: false, ServeAsync);

    private async Task<string> ServeAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        var request = open.Vnc;
        var machine = machines.FindRunning(request.Machine);
        if (!File.Exists(machine.Paths.Vnc))
        {
            throw new ChannelRefusedException(
                CloseReason.Invalid,
                $"Virtual machine '{request.Machine}' has no display: give it spec.display (not with the model MicroVm) and start it anew, or use 'edgevirt console {request.Machine}'.");
        }

        var place = Place + machine.Record.Id;
        if (request.Probe)
        {
            if (!request.Force)
            {
                seats.CheckFree(place);
            }

            return "";
        }

        using var seat = await seats.TakeAsync(place, $"The display of '{request.Machine}'", open.Caller, request.Force, ct);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct, seat.Lost);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(machine.Paths.Vnc), over.Token);
            await SocketCarrier.CarryAsync(socket, channel, over.Token);
            return "";
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested && seat.TakenOver is { } refusal)
        {
            throw refusal;
        }
        catch (SocketException e)
        {
            throw new ChannelRefusedException(CloseReason.Failed, $"QEMU's display cannot be reached: {e.Message}. Try once more.");
        }
    }
}
