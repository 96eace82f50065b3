using EdgeVirt.Linux;
using EdgeVirt.Node.Networks.Names;
using EdgeVirt.Node.Reconcile;
using Microsoft.Extensions.DependencyInjection;

namespace EdgeVirt.Node.Networks;

internal static class NetworksServices
{
    /// <summary>The node's bridge, and names on it. Needs the store, and <see cref="NameServerGroup"/> of who knows the node's control groups.</summary>
    public static IServiceCollection AddNetworks(this IServiceCollection services) => services
        .AddSingleton(provider => new NodeNetwork(provider.GetRequiredService<NodeOptions>()))
        .AddSingleton(provider => new NameServer(
            provider.GetRequiredService<NodeOptions>(),
            provider.GetRequiredService<NodeNetwork>(),
            provider.GetRequiredService<Cgroups>(),
            provider.GetRequiredService<NameServerGroup>(),
            provider.GetRequiredService<TimeProvider>()))
        .AddSingleton<MachineLeases>()
        .AddSingleton<IReconciler, NamesReconciler>();
}
