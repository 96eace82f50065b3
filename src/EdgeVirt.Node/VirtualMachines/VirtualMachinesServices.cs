using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Images.Registries;
using EdgeVirt.Node.Control;
using EdgeVirt.Node.Networks;
using EdgeVirt.Node.Networks.Names;
using EdgeVirt.Node.Reconcile;
using EdgeVirt.Node.State;
using EdgeVirt.Node.VirtualMachines.Consoles;
using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Memory;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Snapshots;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.VirtualMachines;

internal static class VirtualMachinesServices
{
    /// <summary>Running virtual machines. Needs images, networks, control groups and the store.</summary>
    public static IServiceCollection AddVirtualMachines(this IServiceCollection services)
    {
        services.AddMachines().AddSingleton<SnapshotVerbs>();
        // The table of verbs takes them one by one.
        for (var i = 0; i < SnapshotVerbs.Count; i++)
        {
            var at = i;
            services.AddSingleton<ChannelVerb>(provider => provider.GetRequiredService<SnapshotVerbs>().All[at]);
        }

        return services;
    }

    private static IServiceCollection AddMachines(this IServiceCollection services) => services
        .AddSingleton<VmRecords>()
        .AddSingleton<AccelerationProbe>()
        .AddSingleton(provider => new DiskInspection(SpaceOf(provider)))
        .AddSingleton(provider => new BaseDisks(
            Path.Combine(OptionsOf(provider).DataDir, "disk-images"), provider.GetRequiredService<DiskInspection>(), OptionsOf(provider).Images.MinFreeBytes, SpaceOf(provider)))
        .AddSingleton(provider => new DiskDownload(
            new HttpClient { Timeout = Timeout.InfiniteTimeSpan },
            provider.GetRequiredService<BaseDisks>(),
            new ByteRate(OptionsOf(provider).ImageMaxBytesPerSecond, provider.GetRequiredService<TimeProvider>()),
            provider.GetRequiredService<TimeProvider>()))
        .AddSingleton<MachineDisks>()
        .AddSingleton<VmSources>()
        .AddSingleton<VmPreparation>()
        .AddSingleton(provider => new VmNetwork(provider.GetRequiredService<NodeNetwork>(), provider.GetRequiredService<MachineLeases>()))
        .AddSingleton(provider => new VmTools(
            OptionsOf(provider),
            provider.GetRequiredService<NodeStore>(),
            provider.GetRequiredService<VmRecords>(),
            provider.GetRequiredService<VmPreparation>(),
            provider.GetRequiredService<VmNetwork>(),
            provider.GetRequiredService<Cgroups>())
        {
            Snapshots = new SnapshotTools(provider.GetRequiredService<MachineDisks>(), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<VmSnapshots>>()),
            CgroupParent = provider.GetRequiredService<NodeDirectories>().CgroupParent,
            Time = provider.GetRequiredService<TimeProvider>(),
            Balloons = new Balloons(OptionsOf(provider).MemoryMinFreeBytes, () => SystemFacts.AvailableMemoryBytes, provider.GetRequiredService<TimeProvider>()),
            Log = provider.GetRequiredService<ILogger<VmOwner>>(),
        })
        .AddSingleton<IReconciler>(provider => new MachineSupport(provider.GetRequiredService<NodeConditions>(), QemuPrograms.Missing))
        .AddSingleton<VirtualMachineReconciler>()
        .AddSingleton<IReconciler>(provider => provider.GetRequiredService<VirtualMachineReconciler>())
        .AddSingleton(provider => new NodeShutdown(
            provider.GetRequiredService<VirtualMachineReconciler>(), Systemd.IsGoingDownAsync, provider.GetRequiredService<ILogger<NodeShutdown>>()))
        .AddHostedService<BalloonWatch>()
        .AddConsoles();

    private static NodeOptions OptionsOf(IServiceProvider provider) => provider.GetRequiredService<NodeOptions>();

    private static Func<DiskSpace> SpaceOf(IServiceProvider provider)
    {
        var directory = OptionsOf(provider).DataDir;
        return () => DiskSpace.Of(directory);
    }
}
