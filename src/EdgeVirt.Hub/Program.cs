using System.Net;
using System.Net.Sockets;
using System.Reflection;
using System.Security.Cryptography;
using EdgeVirt.Hub.Access;
using EdgeVirt.Hub.Api;
using EdgeVirt.Hub.Audit;
using EdgeVirt.Hub.Backups;
using EdgeVirt.Hub.Broker;
using EdgeVirt.Hub.Enrollment;
using EdgeVirt.Hub.Nodes;
using EdgeVirt.Hub.Resources;
using EdgeVirt.Hub.Scheduling;
using EdgeVirt.Hub.Storage;
using EdgeVirt.Hub.Sync;
using EdgeVirt.Hub.Telemetry;
using EdgeVirt.Hub.Tunnels;
using Microsoft.Extensions.DependencyInjection.Extensions;

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
            var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
            {
                ContentRootPath = AppContext.BaseDirectory,
                // Options are read once, at the start; nothing need be watched.
                Args = ["--hostBuilder:reloadConfigOnChange=false"],
            });
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
        catch (Exception e) when (e is HubStorageException or PkiException or IOException or SocketException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"edgevirt-hub: {e.Message}");
            return ExitFailure;
        }
    }

    /// <summary>The whole hub, ready to start.</summary>
    internal static WebApplication Build(WebApplicationBuilder builder, HubOptions options)
    {
        builder.WebHost.UseListeners(options);
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning).AddFilter("Grpc", LogLevel.Warning);
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services
            .AddSingleton(options)
            .AddSingleton<HubEndpoints>()
            .AddStorage(options)
            .AddAudit()
            .AddResources()
            .AddScheduling()
            .AddAccess()
            .AddEnrollment()
            .AddNodes()
            .AddBroker()
            .AddSync()
            .AddTunnels()
            .AddBackups()
            .AddTelemetry()
            .AddApi();

        var app = builder.Build();
        app.UseMiddleware<ApiErrors>();
        app.UseRouting();
        app.UsePortSeparation();
        app.UseAccess();
        app.UseChannels();

        app.MapApi().MapTelemetry();
        var nodePort = app.MapGroup("").WithMetadata(new Listeners.ForNodes());
        nodePort.MapEnrollment();
        nodePort.MapSync();
        nodePort.MapTunnels();

        // What is damaged is to be said at once, not when the first request needs it.
        app.Services.GetRequiredService<SecretsKey>();
        app.Services.GetRequiredService<ApiTokens>();
        app.Lifetime.ApplicationStarted.Register(() => Announce(app.Services, options));
        return app;
    }

    private static void Announce(IServiceProvider services, HubOptions options)
    {
        var endpoints = services.GetRequiredService<HubEndpoints>();
        endpoints.Write(options.EndpointsFile);
        var host = options.Advertise is [var first, ..] ? first : HostOf(options.Listen[0]);
        // What a person compares with when the CLI meets this hub for the first time.
        var fingerprint = services.GetRequiredService<CertificateAuthority>().Authority.GetCertHashString(HashAlgorithmName.SHA256).ToLowerInvariant();
        Console.WriteLine(
            $"edgevirt-hub {Version} ready: api https://{host}:{endpoints.ApiPort}, nodes {host}:{endpoints.NodePort}, " +
            $"mqtt {host}:{endpoints.MqttPort}, admin credential in {options.AdminTokenFile}, authority sha256:{fingerprint}");
    }

    private static string HostOf(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)
        ? "localhost"
        : address.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{address}]" : address.ToString();
}
