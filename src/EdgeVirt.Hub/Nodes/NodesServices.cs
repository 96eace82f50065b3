using EdgeVirt.Hub.Broker;

namespace EdgeVirt.Hub.Nodes;

internal static class NodesServices
{
    /// <summary>Presence and what nodes report about themselves and their workloads.</summary>
    public static IServiceCollection AddNodes(this IServiceCollection services) => services
        .AddSingleton<NodeStatusWriter>()
        .AddSingleton<NodePresence>()
        .AddHostedService(provider => provider.GetRequiredService<NodePresence>())
        .AddSingleton<IUpstream, PresenceUpstream>()
        .AddSingleton<IUpstream, StatusUpstream>();
}
