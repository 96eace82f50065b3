using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Control;
using EdgeVirt.Node.Tests.Containers.Interactive;
using EdgeVirt.Node.Tests.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Consoles;
using EdgeVirt.Node.VirtualMachines.Devices;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.VirtualMachines.Consoles;

/// <summary>A board with virtual machines that boot a Linux guest with a script, and the agent's control socket with their consoles.</summary>
internal sealed class ConsoleBoard : IAsyncDisposable
{
    private readonly TempDirectory directory = new();
    private readonly NodeOptions options;
    private readonly OneImage images;
    private MachineAgent agent = null!;
    private ControlSocket socket = null!;
    private ulong revision;

    private ConsoleBoard(string kernel, string script)
    {
        File.SetUnixFileMode(directory.Path, File.GetUnixFileMode(directory.Path) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        options = new NodeOptions { DataDir = directory.Subdirectory("data"), RunDir = directory.Subdirectory("run") };
        Directory.CreateDirectory(directory.Combine("layer", "boot"));
        File.Copy(kernel, directory.Combine("layer", "boot", "vmlinuz"));
        LinuxGuest.WriteInitrd(directory.Combine("layer", "boot", "initrd"), script);
        images = new OneImage(directory.Combine("layer"));
        File.WriteAllText(
            directory.Combine("run", "acceleration.json"), $$$"""{"bootId":"{{{SystemFacts.BootId}}}","result":{"cpuModel":null,"reason":"KvmUnproven","message":"not asked"}}""");
    }

    private string Host => directory.Combine("host.netns");

    public MachineAgent Agent => agent;

    private HostRoots? Roots { get; init; }

    /// <summary>Where the first machine has its things.</summary>
    public VmPaths Paths => VmPaths.Of(options, agent.Records.All.First().Id);

    /// <summary>Null: there is no kernel for guests here.</summary>
    public static async Task<ConsoleBoard?> StartAsync(string script, HostRoots? roots = null)
    {
        if (LinuxGuest.Kernel is not { } kernel)
        {
            Assert.Ignore("there is no kernel for a guest here, and none can be fetched");
            return null;
        }

        var board = new ConsoleBoard(kernel, script) { Roots = roots };
        NetworkNamespaces.Create(board.Host);
        await board.BeginAsync();
        return board;
    }

    public Task DesireAsync(params IReadOnlyList<DesiredVirtualMachine> machines) => agent.DesireAsync(++revision, machines);

    /// <summary>Starts a machine and waits until it runs.</summary>
    public async Task RunAsync(VirtualDisplayType? display = null, VirtualMachineModel? model = null)
    {
        await DesireAsync(Machine(display, model));
        await agent.UntilAsync("router", status => status.State == VirtualMachineState.Running && status.Conditions.Is(ConditionTypes.Ready, ConditionStatus.True, ReadyReasons.Ready));
    }

    public static DesiredVirtualMachine Machine(VirtualDisplayType? display = null, VirtualMachineModel? model = null) => new()
    {
        Name = "router",
        Uid = "01234567-router",
        Generation = 1,
        Spec = new VirtualMachineSpec
        {
            Machine = model,
            RestartPolicy = RestartPolicy.Never,
            TerminationGracePeriodSeconds = 0,
            Acceleration = VirtualMachineAcceleration.Preferred,
            Memory = new VirtualMemorySpec { Size = Guests.QuantityOf("256Mi") },
            Boot = new VirtualMachineBoot { Kernel = new DirectKernelSpec { Image = "registry.example/vm:1", Kernel = "/boot/vmlinuz", Initrd = "boot/initrd", CommandLine = "console=ttyS0 quiet" } },
            Display = display is { } type ? new VirtualDisplaySpec { Type = type } : null,
            Interfaces = [],
        },
    };

    /// <summary>The agent ends and another begins; machines go on.</summary>
    public async Task RestartAsync()
    {
        await StopAsync();
        await BeginAsync();
        await agent.Reconciler.ReconcileAsync(default);
        await agent.Reconciler.SettledAsync();
    }

    public Task<TestChannel> OpenAsync(ConsoleRequest request, string caller = "") => OpenAsync(new OpenChannel { Console = request, Caller = caller });

    public Task<TestChannel> OpenAsync(OpenChannel open) => TestChannel.OpenAsync(Path.Combine(options.RunDir, "control.sock"), open);

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        foreach (var record in agent.Records.All)
        {
            await VmProcess.RemoveLeftoversAsync(agent.Tools.CgroupOf(record), agent.Cgroups, TimeProvider.System, default);
            ConsoleSpool.Remove(VmPaths.Of(options, record.Id));
        }

        agent.Cgroups.Remove($"{agent.Tools.CgroupParent}/machines");
        agent.Cgroups.Remove(agent.Tools.CgroupParent);
        NetworkNamespaces.Delete(Host);
        directory.Dispose();
    }

    private async Task StopAsync()
    {
        await socket.StopAsync(default);
        socket.Dispose();
        await agent.DisposeAsync();
    }

    private async Task BeginAsync()
    {
        agent = new MachineAgent(options, images, Host, roots: Roots);
        await agent.Network.RecoverAsync([], default);
        var machines = new RunningMachines(options, agent.Records, new RecordStore(new NodeDirectories(options), NullLogger<RecordStore>.Instance));
        var seats = new ConsoleSeats(TimeProvider.System);
        var server = new ChannelServer(
            [new ConsoleVerb(machines, seats, TimeProvider.System).Verb, new VncVerb(machines, seats).Verb], TimeProvider.System, NullLogger<ChannelServer>.Instance);
        socket = new ControlSocket(options, server, NullLogger<ControlSocket>.Instance);
        await socket.StartAsync(default);
        for (var i = 0; i < 500 && !File.Exists(Path.Combine(options.RunDir, "control.sock")); i++)
        {
            await Task.Delay(10);
        }
    }

    private sealed class OneImage(string layer) : IContainerImages
    {
        public Task<StoredImage> EnsureAsync(ImageReference reference, ImagePullPolicy policy, CancellationToken ct) =>
            Task.FromResult(new StoredImage("sha256:" + new string('0', 64), new ImageConfig(), [layer]));

        public Task CollectGarbageAsync(IReadOnlySet<string> manifestDigestsInUse, CancellationToken ct) => Task.CompletedTask;
    }
}
