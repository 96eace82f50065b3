using Microsoft.Extensions.DependencyInjection;

namespace EdgeVirt.Node.Networks;

internal static class NetworksServices
{
    /// <summary>The node's bridge.</summary>
    public static IServiceCollection AddNetworks(this IServiceCollection services) => services
        .AddSingleton(provider => new NodeNetwork(provider.GetRequiredService<NodeOptions>()));
}
