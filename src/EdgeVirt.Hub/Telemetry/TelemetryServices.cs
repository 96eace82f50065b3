using EdgeVirt.Hub.Audit;
using EdgeVirt.Hub.Broker;

namespace EdgeVirt.Hub.Telemetry;

internal static class TelemetryServices
{
    /// <summary>The telemetry store with its one writer, retention, ingest for the broker, and the query. Opens in the background.</summary>
    public static IServiceCollection AddTelemetry(this IServiceCollection services) => services
        .AddSingleton(provider =>
        {
            var options = provider.GetRequiredService<HubOptions>();
            return new TelemetryDatabase(
                options.TelemetryFile,
                Path.Combine(options.DataDir, "quarantine"),
                provider.GetRequiredService<TimeProvider>(),
                provider.GetRequiredService<ILogger<TelemetryDatabase>>());
        })
        .AddSingleton(provider => new TelemetryStore(
            provider.GetRequiredService<TelemetryDatabase>(),
            (file, ct) => provider.GetRequiredService<AuditLog>().WriteAsync(
                "hub", "telemetry-open", ok: false, $"the telemetry database was damaged; it lies in quarantine as {file}", ct),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<TelemetryStore>>()))
        .AddHostedService(provider => provider.GetRequiredService<TelemetryStore>())
        .AddSingleton(provider => RetentionLimits.Of(provider.GetRequiredService<HubOptions>()))
        .AddHostedService<TelemetryRetention>()
        .AddSingleton<TelemetryIngest>()
        .AddSingleton<IUpstream, TelemetryUpstream>()
        .AddSingleton<TelemetryQuery>();
}
