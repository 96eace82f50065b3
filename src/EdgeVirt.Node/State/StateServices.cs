using Microsoft.Extensions.DependencyInjection;

namespace EdgeVirt.Node.State;

internal static class StateServices
{
    /// <summary>The node's memory.</summary>
    public static IServiceCollection AddState(this IServiceCollection services) => services
        .AddSingleton<Quarantine>()
        .AddSingleton<StorageHealth>()
        .AddSingleton<StoreFiles>()
        .AddSingleton<NodeStore>();
}
