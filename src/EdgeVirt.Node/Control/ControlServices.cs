using Microsoft.Extensions.DependencyInjection;

namespace EdgeVirt.Node.Control;

internal static class ControlServices
{
    /// <summary>Channels: for the hub through its tunnel, and for the CLI on the board through the control socket.</summary>
    public static IServiceCollection AddControl(this IServiceCollection services) => services
        .AddSingleton<StatusVerb>()
        .AddSingleton<EnrollVerb>()
        .AddSingleton(provider => provider.GetRequiredService<StatusVerb>().Verb)
        .AddSingleton(provider => provider.GetRequiredService<EnrollVerb>().Verb)
        .AddSingleton<LocalSummarySource>()
        .AddSingleton<LocalSummaryVerb>()
        .AddSingleton<RehomeVerb>()
        .AddSingleton<FactoryResetVerb>()
        .AddSingleton(provider => provider.GetRequiredService<LocalSummaryVerb>().Verb)
        .AddSingleton(provider => provider.GetRequiredService<RehomeVerb>().Verb)
        .AddSingleton(provider => provider.GetRequiredService<FactoryResetVerb>().Verb)
        .AddSingleton<ChannelServer>()
        .AddHostedService<ControlSocket>();

    /// <summary>The verb that reads logs, from where containers write them.</summary>
    public static IServiceCollection AddLogsVerb(this IServiceCollection services, Func<IServiceProvider, ReadLogs> read) => services
        .AddSingleton(provider => new LogsVerb(read(provider)).Verb);
}
