using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Images.Registries;
using EdgeVirt.Node.Networks;
using EdgeVirt.Node.Networks.Names;
using EdgeVirt.Node.State;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Devices;
using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Snapshots;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.VirtualMachines;

/// <summary>A reconciler of machines with a real store, made anew as often as an agent is restarted.</summary>
internal sealed class MachineAgent : IAsyncDisposable
{
    private readonly StoreFiles files;
    private readonly AccelerationProbe probe;
    private readonly HttpClient http = new();
    private readonly CancellationTokenSource patience;

    public MachineAgent(NodeOptions options, IContainerImages images, string hostNamespace, MachineAgentSetup? with = null)
    {
        var setup = with ?? new MachineAgentSetup();
        patience = new CancellationTokenSource(setup.Patience);
        var time = setup.Clock;
        var quarantine = new Quarantine(options, time, NullLogger<Quarantine>.Instance);
        files = new StoreFiles(options, quarantine, new StorageHealth(quarantine, time), NullLogger<StoreFiles>.Instance);
        Store = new NodeStore(files, time, NullLogger<NodeStore>.Instance);
        Records = new VmRecords(options, NullLogger<VmRecords>.Instance);
        probe = new AccelerationProbe(options);
        var inspection = new DiskInspection(() => DiskSpace.Of(options.DataDir));
        var bases = new BaseDisks(Path.Combine(options.DataDir, "disk-images"), inspection, setup.MinFree, () => DiskSpace.Of(options.DataDir));
        var sources = new VmSources(images, bases, new DiskDownload(http, bases, new ByteRate(0, time), time), new MachineDisks(bases, inspection), probe);
        Cgroups = new Cgroups();
        Network = new NodeNetwork(options, hostNamespace);
        Tools = new VmTools(options, Store, Records, new VmPreparation(options, sources), new VmNetwork(Network, Leases), Cgroups)
        {
            CgroupParent = new NodeDirectories(options).CgroupParent,
            Snapshots = new SnapshotTools(sources.Disks, time, NullLogger.Instance),
            Time = time,
            Log = NullLogger.Instance,
            Devices = new MachineDevices(Records, options.Devices, setup.Roots),
        };
        Reconciler = new VirtualMachineReconciler(Tools, bases);
    }

    public NodeStore Store { get; }

    public VmRecords Records { get; }

    public Cgroups Cgroups { get; }

    public NodeNetwork Network { get; }

    public MachineLeases Leases { get; } = new();

    public VmTools Tools { get; }

    public VirtualMachineReconciler Reconciler { get; }

    public CancellationToken Token => patience.Token;

    /// <summary>Of each document.</summary>
    public IReadOnlyList<DesiredSecret> Secrets { get; set; } = [];

    public async Task DesireAsync(ulong revision, params IReadOnlyList<DesiredVirtualMachine> machines)
    {
        var document = new NodeDocument { Node = "n1", VirtualMachines = machines.Count == 0 ? null : machines, Secrets = Secrets };
        await Store.AcceptDesiredAsync(revision, document.ToBytes(), Token);
        await Reconciler.ReconcileAsync(Token);
    }

    /// <summary>Runs the loop until what is told of a machine satisfies.</summary>
    public async Task<VirtualMachineInstanceStatus> UntilAsync(string name, Func<VirtualMachineInstanceStatus, bool> satisfied)
    {
        VirtualMachineInstanceStatus? status = null;
        while (!patience.IsCancellationRequested)
        {
            await Reconciler.ReconcileAsync(Token);
            status = (await Store.ReadObservedMachinesAsync(Token)).FirstOrDefault(observed => observed.Name == name)?.Status;
            if (status is not null && satisfied(status))
            {
                return status;
            }

            await Task.Delay(20);
        }

        throw new TimeoutException($"the machine stays at {(status is null ? "nothing" : $"{status.State} {status.LastExit} {string.Join("; ", status.Conditions)}")}");
    }

    public async Task UntilGoneAsync(string name)
    {
        while (Records.All.Any(record => record.Name == name) || (await Store.ReadObservedMachinesAsync(Token)).Any(observed => observed.Name == name))
        {
            await Reconciler.ReconcileAsync(Token);
            await Task.Delay(20, Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Reconciler.DisposeAsync();
        // As the container does, which has it under two types.
        await Reconciler.DisposeAsync();
        Network.Dispose();
        await Store.DisposeAsync();
        probe.Dispose();
        http.Dispose();
        patience.Dispose();
    }
}

/// <summary>What differs between the agents of tests.</summary>
internal sealed record MachineAgentSetup
{
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>How long each run of the agent may take.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>What disks leave free, in bytes.</summary>
    public long MinFree { get; init; }

    /// <summary>Where devices of the node are looked for; null: on this machine.</summary>
    public HostRoots? Roots { get; init; }

    /// <summary>What is other than a board has it.</summary>
    public Func<NodeOptions, NodeOptions>? Options { get; init; }
}
