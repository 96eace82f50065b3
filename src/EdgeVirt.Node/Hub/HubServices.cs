using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Hub;

internal static class HubServices
{
    /// <summary>The links to the hub.</summary>
    public static IServiceCollection AddHubLink(this IServiceCollection services) => services
        .AddSingleton(provider => new TpmKey(provider.GetRequiredService<ILogger<TpmKey>>()))
        .AddSingleton<NodeKey>()
        .AddSingleton<IdentityFiles>()
        .AddSingleton<HubChannels>()
        .AddSingleton<HubCalls>()
        .AddSingleton<Enrollment>()
        .AddSingleton<EnrollmentLoop>()
        .AddSingleton<CertificateRenewal>()
        .AddSingleton<MqttLink>()
        .AddSingleton<IHubPublisher>(provider => provider.GetRequiredService<MqttLink>())
        .AddSingleton<State.PartialRevision>()
        .AddSingleton<DesiredStateSession>()
        .AddSingleton<DesiredStateSync>()
        .AddSingleton<StatusReporter>()
        .AddSingleton<TunnelClient>()
        .AddSingleton<HubTasks>()
        .AddHostedService<HubLink>();
}
