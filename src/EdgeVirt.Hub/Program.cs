using System.Reflection;
using EdgeVirt.Hub.Audit;
using EdgeVirt.Hub.Resources;
using EdgeVirt.Hub.Scheduling;
using EdgeVirt.Hub.Storage;

namespace EdgeVirt.Hub;

internal static class Program
{
    private const int ExitUsage = 2;
    private const int ExitFailure = 1;

    /// <summary>The version of this build, without its source revision.</summary>
    public static string Version { get; } =
        typeof(Program).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    public static async Task<int> Main(string[] args)
    {
        if (args is ["--help"] or ["--version"])
        {
            Console.WriteLine(args[0] == "--help" ? HubOptionsReader.Usage : $"edgevirt-hub {Version}");
            return 0;
        }

        try
        {
            var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
            var options = HubOptionsReader.Read(args, Environment.GetEnvironmentVariable, name => builder.Configuration[name]);
            await using var hub = Build(builder, options);
            await hub.RunAsync();
            return 0;
        }
        catch (HubOptionsException e)
        {
            await Console.Error.WriteLineAsync($"edgevirt-hub: {e.Message}");
            return ExitUsage;
        }
        catch (Exception e) when (e is HubStorageException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"edgevirt-hub: {e.Message}");
            return ExitFailure;
        }
    }

    /// <summary>The whole hub, ready to start.</summary>
    internal static WebApplication Build(WebApplicationBuilder builder, HubOptions options)
    {
        builder.Services
            .AddSingleton(options)
            .AddSingleton(TimeProvider.System)
            .AddSingleton<HubEndpoints>()
            .AddStorage(options)
            .AddAudit()
            .AddResources()
            .AddScheduling();

        var app = builder.Build();
        return app;
    }
}
