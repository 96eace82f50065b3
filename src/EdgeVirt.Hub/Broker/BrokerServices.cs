namespace EdgeVirt.Hub.Broker;

internal static class BrokerServices
{
    /// <summary>MQTT for nodes. What takes their messages is registered as <see cref="IUpstream"/> where it lives.</summary>
    public static IServiceCollection AddBroker(this IServiceCollection services) => services
        .AddSingleton<BrokerListener>()
        .AddSingleton<BrokerAccess>()
        .AddSingleton<UpstreamMessages>()
        .AddSingleton<NodePokes>()
        .AddHostedService<MqttBroker>();
}
