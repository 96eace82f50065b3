using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Networks.Names;
using EdgeVirt.Node.Tests.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Consoles;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines;

/// <summary>A board in a network namespace of its own, with an agent's machines as on a real one. Every image is the one directory.</summary>
internal sealed class GuestBoard : IAsyncDisposable
{
    private readonly TempDirectory directory = new();
    private readonly OneImage images;
    private readonly MachineAgentSetup setup;
    private NameServer names = null!;
    private ulong revision;

    private GuestBoard(string? layer, MachineAgentSetup setup)
    {
        this.setup = setup;
        images = new OneImage(layer ?? Layer);
        File.SetUnixFileMode(directory.Path, File.GetUnixFileMode(directory.Path) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        var options = new NodeOptions { DataDir = directory.Subdirectory("data"), RunDir = directory.Subdirectory("run") };
        Options = setup.Options?.Invoke(options) ?? options;
        // What KVM is here was found out elsewhere; these guests are emulated whatever it is.
        File.WriteAllText(
            directory.Combine("run", "acceleration.json"), $$$"""{"bootId":"{{{SystemFacts.BootId}}}","result":{"cpuModel":null,"reason":"KvmUnproven","message":"not asked"}}""");
    }

    public NodeOptions Options { get; }

    /// <summary>A path to the network namespace.</summary>
    public string Host => directory.Combine("host.netns");

    /// <summary>Where what images have in them is, if the board made it.</summary>
    public string Layer => directory.Combine("layer");

    public MachineAgent Agent { get; private set; } = null!;

    /// <summary>Of its only machine.</summary>
    public VmRecord Record => Agent.Records.All.Single();

    /// <summary>Where its first machine has its things.</summary>
    public VmPaths Paths => VmPaths.Of(Options, Agent.Records.All.First().Id);

    /// <param name="layer">What images have in them.</param>
    /// <param name="setup">Of every run of the agent.</param>
    public static Task<GuestBoard> StartAsync(string layer, MachineAgentSetup? setup = null) => new GuestBoard(layer, setup ?? new MachineAgentSetup()).BeganAsync();

    /// <summary>Images have a kernel and an initrd in them that runs a script; ignores the test where no kernel can be had.</summary>
    public static Task<GuestBoard> StartLinuxAsync(string script, MachineAgentSetup? setup = null)
    {
        if (LinuxGuest.Kernel is not { } kernel)
        {
            Assert.Ignore("there is no kernel for a guest here, and none can be fetched");
            throw new InvalidOperationException();
        }

        var board = new GuestBoard(layer: null, setup ?? new MachineAgentSetup());
        Directory.CreateDirectory(Path.Combine(board.Layer, "boot"));
        File.Copy(kernel, Path.Combine(board.Layer, "boot", "vmlinuz"));
        board.Script(script);
        return board.BeganAsync();
    }

    /// <summary>A machine that boots the board's Linux with 256 MiB, no card, and no grace.</summary>
    public static DesiredVirtualMachine Machine(string name = "router", Func<VirtualMachineSpec, VirtualMachineSpec>? with = null, long generation = 1)
    {
        var spec = new VirtualMachineSpec
        {
            TerminationGracePeriodSeconds = 0,
            Acceleration = VirtualMachineAcceleration.Preferred,
            Memory = new VirtualMemorySpec { Size = Guests.QuantityOf("256Mi") },
            Boot = Boot(),
            Interfaces = [],
        };
        return new DesiredVirtualMachine { Name = name, Uid = $"01234567-{name}", Generation = generation, Spec = with?.Invoke(spec) ?? spec };
    }

    public static VirtualMachineBoot Boot(string kernel = "/boot/vmlinuz", string commandLine = "console=ttyS0 quiet") =>
        new() { Kernel = new DirectKernelSpec { Image = "registry.example/vm:1", Kernel = kernel, Initrd = "boot/initrd", CommandLine = commandLine } };

    public static bool IsReady(VirtualMachineInstanceStatus status) =>
        status.State == VirtualMachineState.Running && status.Conditions.Is(ConditionTypes.Ready, ConditionStatus.True, ReadyReasons.Ready);

    /// <summary>What guests run from their next start on, with files of this machine at paths of their root.</summary>
    public void Script(string script, IReadOnlyDictionary<string, string>? files = null) => LinuxGuest.WriteInitrd(Path.Combine(Layer, "boot", "initrd"), script, files);

    /// <summary>Images have a disk in them too.</summary>
    public void AddDisk(string size)
    {
        var path = Path.Combine(Layer, "disk", "disk.qcow2");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        Command.Run("qemu-img", "create", "-q", "-f", "qcow2", path, size);
    }

    /// <summary>A file of the test's own.</summary>
    public string Combine(string name) => directory.Combine(name);

    /// <summary>All that there is to be, from now on.</summary>
    public Task DesireAsync(params IReadOnlyList<DesiredVirtualMachine> machines) => Agent.DesireAsync(++revision, machines);

    /// <summary>Has guests told their addresses, and names made known.</summary>
    public async Task ServeAsync() =>
        await new NamesReconciler(Agent.Store, Agent.Network, names, new NodeConditions(TimeProvider.System), TimeProvider.System, Agent.Leases).ReconcileAsync(default);

    /// <summary>What a guest has said; nothing before it began.</summary>
    public string ConsoleOf(string machine = "router")
    {
        var record = Agent.Records.All.SingleOrDefault(record => record.Name == machine);
        return record is not null && VmPaths.Of(Options, record.Id).ConsoleLog is var log && File.Exists(log) ? File.ReadAllText(log) : "";
    }

    /// <returns>All that the guest has said.</returns>
    public async Task<string> UntilSaidAsync(string text, string machine = "router")
    {
        await UntilAsync(() => ConsoleOf(machine).Contains(text, StringComparison.Ordinal), $"the guest says {text}", machine);
        return ConsoleOf(machine);
    }

    /// <summary>Runs the loop until something holds.</summary>
    public async Task UntilAsync(Func<bool> holds, string what, string machine = "router")
    {
        for (var i = 0; i < 2000; i++)
        {
            await Agent.Reconciler.ReconcileAsync(Agent.Token);
            if (holds())
            {
                return;
            }

            await Task.Delay(30);
        }

        throw new TimeoutException($"did not come: {what}; the guest said: {ConsoleOf(machine)}");
    }

    /// <summary>Asks for something of a machine, while the loop runs.</summary>
    public async Task<T> AskAsync<T>(string machine, Func<VmOwner, Task<T>> ask)
    {
        var asked = Agent.Reconciler.AskAsync(machine, ask, Agent.Token);
        while (!asked.IsCompleted)
        {
            await Agent.Reconciler.ReconcileAsync(Agent.Token);
            await Task.WhenAny(asked, Task.Delay(20));
        }

        return await asked;
    }

    /// <summary>The agent ends and another begins, which takes back what it finds; machines go on.</summary>
    public async Task RestartAsync(Func<Task>? between = null)
    {
        await NextAgentAsync(between);
        await Agent.Reconciler.ReconcileAsync(default);
        await Agent.Reconciler.SettledAsync();
    }

    /// <summary>The agent ends and another is there, which has looked after nothing yet.</summary>
    public async Task NextAgentAsync(Func<Task>? between = null)
    {
        await Agent.DisposeAsync();
        await (between?.Invoke() ?? Task.CompletedTask);
        await BeginAsync();
    }

    public async ValueTask DisposeAsync()
    {
        // First, so that nothing is started again.
        await Agent.DisposeAsync();
        await names.RemoveAsync(default);
        foreach (var record in Agent.Records.All)
        {
            await VmProcess.RemoveLeftoversAsync(Agent.Tools.CgroupOf(record), Agent.Cgroups, TimeProvider.System, default);
            ConsoleSpool.Remove(VmPaths.Of(Options, record.Id));
        }

        Agent.Cgroups.Remove($"{Agent.Tools.CgroupParent}/machines");
        Agent.Cgroups.Remove(Agent.Tools.CgroupParent);
        NetworkNamespaces.Delete(Host);
        directory.Dispose();
    }

    private async Task<GuestBoard> BeganAsync()
    {
        NetworkNamespaces.Create(Host);
        await BeginAsync();
        return this;
    }

    private async Task BeginAsync()
    {
        Agent = new MachineAgent(Options, images, Host, setup);
        names = new NameServer(Options, Agent.Network, Agent.Cgroups, new NameServerGroup(Agent.Tools.CgroupParent), TimeProvider.System);
        await Agent.Reconciler.ReclaimAsync(default);
        await Agent.Network.RecoverAsync([], default);
    }

    private sealed class OneImage(string layer) : IContainerImages
    {
        public Task<StoredImage> EnsureAsync(ImageReference reference, ImagePullPolicy policy, CancellationToken ct) =>
            Task.FromResult(new StoredImage("sha256:" + new string('0', 64), new ImageConfig(), [layer]));

        public Task CollectGarbageAsync(IReadOnlySet<string> manifestDigestsInUse, CancellationToken ct) => Task.CompletedTask;
    }
}
