using Microsoft.Extensions.DependencyInjection;

namespace EdgeVirt.Node.Containers.Interactive;

internal static class InteractiveServices
{
    /// <summary>Verbs for people: what they do in running containers. Needs containers.</summary>
    public static IServiceCollection AddInteractive(this IServiceCollection services) => services
        .AddSingleton<RunningContainers>()
        .AddSingleton<MarkedProcesses>()
        .AddSingleton<ExecVerb>()
        .AddSingleton(provider => provider.GetRequiredService<ExecVerb>().Verb)
        .AddSingleton<AttachVerb>()
        .AddSingleton(provider => provider.GetRequiredService<AttachVerb>().Verb)
        .AddSingleton<PortForwardVerb>()
        .AddSingleton(provider => provider.GetRequiredService<PortForwardVerb>().Verb)
        .AddSingleton<CopyVerb>()
        .AddSingleton(provider => provider.GetRequiredService<CopyVerb>().Verb)
        .AddHostedService<ExecLeftovers>();
}
