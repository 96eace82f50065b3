using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Control;
using EdgeVirt.Node.Tests.Containers.Interactive;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Consoles;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.VirtualMachines.Consoles;

/// <summary>A board whose guests' consoles and displays are at the agent's control socket.</summary>
internal sealed class ConsoleBoard : IAsyncDisposable
{
    private ControlSocket socket = null!;

    private ConsoleBoard(GuestBoard guests) => Guests = guests;

    public GuestBoard Guests { get; }

    public MachineAgent Agent => Guests.Agent;

    public VmPaths Paths => Guests.Paths;

    private string SocketPath => Path.Combine(Guests.Options.RunDir, "control.sock");

    /// <param name="script">What guests run; ignores the test where no kernel can be had for them.</param>
    public static async Task<ConsoleBoard> StartAsync(string script)
    {
        var board = new ConsoleBoard(await GuestBoard.StartLinuxAsync(script));
        await board.ListenAsync();
        return board;
    }

    public Task DesireAsync(params IReadOnlyList<DesiredVirtualMachine> machines) => Guests.DesireAsync(machines);

    /// <summary>Starts a machine and waits until it runs.</summary>
    public async Task RunAsync(VirtualDisplayType? display = null, VirtualMachineModel? model = null)
    {
        await DesireAsync(GuestBoard.Machine(with: spec => spec with
        {
            Machine = model,
            RestartPolicy = RestartPolicy.Never,
            Display = display is { } type ? new VirtualDisplaySpec { Type = type } : null,
        }));
        await Agent.UntilAsync("router", GuestBoard.IsReady);
    }

    /// <summary>The agent ends and another begins; machines go on.</summary>
    public async Task RestartAsync()
    {
        await CloseAsync();
        await Guests.RestartAsync();
        await ListenAsync();
    }

    public Task<TestChannel> OpenAsync(ConsoleRequest request, string caller = "") => OpenAsync(new OpenChannel { Console = request, Caller = caller });

    public Task<TestChannel> OpenAsync(OpenChannel open) => TestChannel.OpenAsync(SocketPath, open);

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        await Guests.DisposeAsync();
    }

    private async Task CloseAsync()
    {
        await socket.StopAsync(default);
        socket.Dispose();
    }

    private async Task ListenAsync()
    {
        var machines = new RunningMachines(Guests.Options, Agent.Records, new RecordStore(new NodeDirectories(Guests.Options), NullLogger<RecordStore>.Instance));
        var seats = new ConsoleSeats(TimeProvider.System);
        var server = new ChannelServer(
            [new ConsoleVerb(machines, seats, TimeProvider.System).Verb, new VncVerb(machines, seats).Verb], TimeProvider.System, NullLogger<ChannelServer>.Instance);
        socket = new ControlSocket(Guests.Options, server, NullLogger<ControlSocket>.Instance);
        await socket.StartAsync(default);
        for (var i = 0; i < 500 && !File.Exists(SocketPath); i++)
        {
            await Task.Delay(10);
        }
    }
}
