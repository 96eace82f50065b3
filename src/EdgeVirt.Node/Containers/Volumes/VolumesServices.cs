using EdgeVirt.Node.Containers.Devices;
using EdgeVirt.Node.Control;
using Microsoft.Extensions.DependencyInjection;

namespace EdgeVirt.Node.Containers.Volumes;

internal static class VolumesServices
{
    /// <summary>Volumes of workloads, and what people do with them.</summary>
    public static IServiceCollection AddVolumes(this IServiceCollection services)
    {
        services.AddSingleton<PersistentVolumes>().AddSingleton<WorkloadVolumes>().AddSingleton(provider => new HostPaths(provider.GetRequiredService<NodeOptions>().AllowedHostPaths)).AddSingleton<ContainerMounts>().AddSingleton(provider => new DeviceFinder(provider.GetRequiredService<NodeOptions>().Devices)).AddSingleton<VolumeVerbs>();
        // The table of verbs takes them one by one.
        for (var i = 0; i < 4; i++)
        {
            var at = i;
            services.AddSingleton<ChannelVerb>(provider => provider.GetRequiredService<VolumeVerbs>().All[at]);
        }

        return services;
    }
}
