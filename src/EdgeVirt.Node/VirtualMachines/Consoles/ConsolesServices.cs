using Microsoft.Extensions.DependencyInjection;

namespace EdgeVirt.Node.VirtualMachines.Consoles;

internal static class ConsolesServices
{
    /// <summary>Consoles and displays of virtual machines. Needs their records and those of containers.</summary>
    public static IServiceCollection AddConsoles(this IServiceCollection services) => services
        .AddSingleton<RunningMachines>()
        .AddSingleton<ConsoleSeats>()
        .AddSingleton<ConsoleVerb>()
        .AddSingleton(provider => provider.GetRequiredService<ConsoleVerb>().Verb)
        .AddSingleton<VncVerb>()
        .AddSingleton(provider => provider.GetRequiredService<VncVerb>().Verb);
}
