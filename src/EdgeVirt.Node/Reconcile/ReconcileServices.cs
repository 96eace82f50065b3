using Microsoft.Extensions.DependencyInjection;

namespace EdgeVirt.Node.Reconcile;

internal static class ReconcileServices
{
    /// <summary>The one loop; reconcilers register themselves as <see cref="IReconciler"/>.</summary>
    public static IServiceCollection AddReconcilers(this IServiceCollection services) => services
        .AddSingleton<ReconcilerHost>()
        .AddHostedService(provider => provider.GetRequiredService<ReconcilerHost>());
}
