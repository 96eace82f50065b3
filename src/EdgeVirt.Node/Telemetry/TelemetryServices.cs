using EdgeVirt.Node.State;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Telemetry;

internal static class TelemetryServices
{
    /// <summary>Collectors, the outbox and its publisher. Wants an <see cref="IUsageSource"/> where containers run.</summary>
    public static IServiceCollection AddTelemetry(this IServiceCollection services) => services
        .AddSingleton(OpenOutbox)
        .AddSingleton<UsageVerb>()
        .AddSingleton(provider => provider.GetRequiredService<UsageVerb>().Verb)
        .AddHostedService<TelemetryCollector>()
        .AddHostedService<OutboxPublisher>();

    private static Outbox OpenOutbox(IServiceProvider services)
    {
        var options = services.GetRequiredService<NodeOptions>();
        var time = services.GetRequiredService<TimeProvider>();
        var quarantine = services.GetRequiredService<Quarantine>();
        var storage = new DiskOutboxStorage(
            Path.Combine(options.DataDir, "outbox"),
            path => quarantine.Take(path, "a damaged part of the telemetry outbox; what was lost is counted"));
        var limits = new OutboxLimits(options.OutboxMaxBytes, (int)Math.Min(1 << 20, options.OutboxMaxBytes / 4));
        return new Outbox(OutboxLog.Open(storage, limits, services.GetRequiredService<ILoggerFactory>().CreateLogger<Outbox>()), time);
    }
}
