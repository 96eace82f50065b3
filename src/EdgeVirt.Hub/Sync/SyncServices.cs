using EdgeVirt.Hub.Enrollment;

namespace EdgeVirt.Hub.Sync;

internal static class SyncServices
{
    /// <summary>Desired state for nodes.</summary>
    public static IServiceCollection AddSync(this IServiceCollection services)
    {
        services.AddSingleton<NodeCallInterceptor>();
        services.AddGrpc().AddServiceOptions<DesiredStateService>(options => options.Interceptors.Add<NodeCallInterceptor>());
        services.AddHostedService<RevisionPokes>();
        return services;
    }

    /// <summary>The desired-state session, for the node port.</summary>
    public static IEndpointConventionBuilder MapSync(this IEndpointRouteBuilder app) => app.MapGrpcService<DesiredStateService>();
}
