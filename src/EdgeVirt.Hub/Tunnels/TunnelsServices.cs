using EdgeVirt.Hub.Enrollment;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace EdgeVirt.Hub.Tunnels;

internal static class TunnelsServices
{
    private static readonly TimeSpan PingAfter = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(20);

    /// <summary>Interactive channels to nodes.</summary>
    public static IServiceCollection AddTunnels(this IServiceCollection services)
    {
        services.AddSingleton<NodeChannels>();
        services.AddGrpc().AddServiceOptions<TunnelService>(options => options.Interceptors.Add<NodeCallInterceptor>());

        // A node whose network vanished says nothing: only a ping finds out.
        services.Configure<KestrelServerOptions>(options =>
        {
            options.Limits.Http2.KeepAlivePingDelay = PingAfter;
            options.Limits.Http2.KeepAlivePingTimeout = PingTimeout;
        });
        return services;
    }

    /// <summary>The tunnel, for the node port.</summary>
    public static IEndpointConventionBuilder MapTunnels(this IEndpointRouteBuilder app) => app.MapGrpcService<TunnelService>();
}
