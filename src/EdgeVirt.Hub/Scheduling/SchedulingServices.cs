namespace EdgeVirt.Hub.Scheduling;

internal static class SchedulingServices
{
    public static IServiceCollection AddScheduling(this IServiceCollection services) => services
        .AddSingleton<NodeRevisions>()
        .AddSingleton<InstanceStatuses>()
        .AddSingleton<Scheduler>()
        .AddHostedService(provider => provider.GetRequiredService<Scheduler>());
}
