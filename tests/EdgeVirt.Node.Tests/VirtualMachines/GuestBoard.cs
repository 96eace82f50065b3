using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Networks.Names;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Consoles;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines;

/// <summary>A board in a network namespace of its own, whose machines get their addresses as on a real one. Every image is the one directory.</summary>
internal sealed class GuestBoard : IAsyncDisposable
{
    private readonly TempDirectory directory = new();
    private readonly NodeOptions options;
    private readonly OneImage images;
    private readonly TimeSpan patience;
    private NameServer names = null!;

    private GuestBoard(string layer, TimeSpan patience)
    {
        this.patience = patience;
        images = new OneImage(layer);
        File.SetUnixFileMode(directory.Path, File.GetUnixFileMode(directory.Path) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        options = new NodeOptions { DataDir = directory.Subdirectory("data"), RunDir = directory.Subdirectory("run") };
        // What KVM is here was found out elsewhere; these guests are emulated whatever it is.
        File.WriteAllText(
            directory.Combine("run", "acceleration.json"), $$$"""{"bootId":"{{{SystemFacts.BootId}}}","result":{"cpuModel":null,"reason":"KvmUnproven","message":"not asked"}}""");
    }

    /// <summary>A path to the network namespace.</summary>
    public string Host => directory.Combine("host.netns");

    public MachineAgent Agent { get; private set; } = null!;

    /// <param name="layer">What images have in them.</param>
    /// <param name="patience">How long each run of the agent may take.</param>
    public static async Task<GuestBoard> StartAsync(string layer, TimeSpan patience)
    {
        var board = new GuestBoard(layer, patience);
        NetworkNamespaces.Create(board.Host);
        await board.BeginAsync();
        return board;
    }

    /// <summary>A file of the test's own.</summary>
    public string Combine(string name) => directory.Combine(name);

    /// <summary>Has guests told their addresses, and names made known.</summary>
    public async Task ServeAsync() =>
        await new NamesReconciler(Agent.Store, Agent.Network, names, new NodeConditions(TimeProvider.System), TimeProvider.System, Agent.Leases).ReconcileAsync(default);

    public string ConsoleOf(string machine) => File.ReadAllText(VmPaths.Of(options, Agent.Records.All.Single(record => record.Name == machine).Id).ConsoleLog);

    /// <summary>The agent ends and another begins; machines go on.</summary>
    public async Task RestartAsync()
    {
        await Agent.DisposeAsync();
        await BeginAsync();
        await Agent.Reconciler.ReconcileAsync(default);
        await Agent.Reconciler.SettledAsync();
    }

    public async ValueTask DisposeAsync()
    {
        // First, so that nothing is started again.
        await Agent.DisposeAsync();
        await names.RemoveAsync(default);
        foreach (var record in Agent.Records.All)
        {
            await VmProcess.RemoveLeftoversAsync(Agent.Tools.CgroupOf(record), Agent.Cgroups, TimeProvider.System, default);
            ConsoleSpool.Remove(VmPaths.Of(options, record.Id));
        }

        Agent.Cgroups.Remove($"{Agent.Tools.CgroupParent}/machines");
        Agent.Cgroups.Remove(Agent.Tools.CgroupParent);
        NetworkNamespaces.Delete(Host);
        directory.Dispose();
    }

    private async Task BeginAsync()
    {
        Agent = new MachineAgent(options, images, Host, patience: patience);
        names = new NameServer(options, Agent.Network, Agent.Cgroups, new NameServerGroup(Agent.Tools.CgroupParent), TimeProvider.System);
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
