using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using EdgeVirt.Cli.Interactive;
using EdgeVirt.Cli.Interactive.Browser;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt vnc MACHINE</c>: a port of this machine's loopback that leads to a virtual machine's display, for a viewer or a browser.</summary>
internal static class VncCommand
{
    private const string Path = "vnc";

    private static readonly Argument<string> Machine = new("machine") { Description = "The virtual machine's name" };
    private static readonly Option<ushort> Port = new("--port", "-p") { Description = "Port of 127.0.0.1 to listen on (default: any that is free)", HelpName = "port" };
    private static readonly Option<bool> Browser = new("--browser") { Description = "Serve a page that shows the display in a browser, instead of a port for a VNC viewer" };
    private static readonly Option<bool> Force = new("--force") { Description = "Take the display over from whoever has it" };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("vnc", "Makes the display of a virtual machine reachable for a VNC viewer or a browser on this machine, until Ctrl-C")
        {
            Machine, Browser, Port, Force, ChannelOptions.Node, ChannelOptions.Local, LocalAgent.Socket,
        };
        command.Does(terminal, RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        var machine = invocation.Get(Machine);
        using var listener = LoopbackPort.Listen(invocation.Get(Port), "without --port it is any that is free", "--port 5900");
        await ProbeAsync(invocation, machine, ct);
        if (invocation.Get(Browser))
        {
            var gate = new BrowserGate(((IPEndPoint)listener.LocalEndpoint).Port);
            invocation.Say(gate.Address);
            invocation.Note($"open it in a browser on this machine; it works once. The display of {machine} is there until Ctrl-C");
            invocation.Terminal.Flush();
            using var display = new BrowserDisplay(invocation, machine, gate, (again, stop) => OpenAsync(invocation, Wanted(invocation, machine, again), stop));
            await display.ServeAsync(listener, ct);
            return ExitCodes.Ok;
        }

        invocation.Say($"vnc://{listener.LocalEndpoint}");
        invocation.Note($"open it with a VNC viewer; the display of {machine} is there until Ctrl-C");
        invocation.Terminal.Flush();
        while (true)
        {
            // One after the other: a display has one viewer.
            using var socket = await listener.AcceptSocketAsync(ct);
            await ServeAsync(invocation, machine, socket, ct);
        }
    }

    /// <summary>Whether there is a display is better known now than in a viewer.</summary>
    private static async Task ProbeAsync(Invocation invocation, string machine, CancellationToken ct)
    {
        var wanted = Wanted(invocation, machine);
        wanted.Probe = true;
        await using var channel = await OpenAsync(invocation, wanted, ct);
        await foreach (var _ in channel.ReadAllAsync(ct))
        {
        }
    }

    private static async Task ServeAsync(Invocation invocation, string machine, Socket socket, CancellationToken ct)
    {
        try
        {
            await using var channel = await OpenAsync(invocation, Wanted(invocation, machine), ct);
            await LocalConnection.CarryAsync(socket, channel, ct);
        }
        catch (CliException fault) when (fault.ExitCode == ExitCodes.Conflict)
        {
            // A viewer would come again and again, against whoever has it now.
            LocalConnection.Abort(socket);
            throw;
        }
        catch (CliException fault)
        {
            LocalConnection.Abort(socket);
            invocation.Note($"the display of {machine}: {fault.Message}");
        }
        catch (Exception fault) when (fault is IOException or SocketException)
        {
            // The viewer has gone.
            LocalConnection.Abort(socket);
        }
    }

    private static VncRequest Wanted(Invocation invocation, string machine, bool again = false) => new() { Machine = machine, Force = again || invocation.Get(Force) };

    private static Task<ClientChannel> OpenAsync(Invocation invocation, VncRequest wanted, CancellationToken ct) =>
        ChannelOptions.OpenToMachineAsync(invocation, wanted.Machine, Path, new OpenChannel { Vnc = wanted }, ct);
}
