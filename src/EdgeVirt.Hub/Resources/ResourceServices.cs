namespace EdgeVirt.Hub.Resources;

internal static class ResourceServices
{
    public static IServiceCollection AddResources(this IServiceCollection services) => services.AddSingleton<ResourceStore>();
}
