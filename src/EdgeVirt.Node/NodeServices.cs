using Microsoft.Extensions.DependencyInjection;

namespace EdgeVirt.Node;

internal static class NodeServices
{
    /// <summary>What the node says of itself.</summary>
    public static IServiceCollection AddNode(this IServiceCollection services) => services
        .AddSingleton<NodeConditions>()
        .AddSingleton<NodeFacts>()
        .AddSingleton<NodeStatusSource>()
        .AddHostedService<Readiness>()
        .AddHostedService<MemoryTrim>();
}
