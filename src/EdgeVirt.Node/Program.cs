using EdgeVirt.Linux;
using EdgeVirt.Node;
using EdgeVirt.Node.Boards;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Control;
using EdgeVirt.Node.Hub;
using EdgeVirt.Node.Networks;
using EdgeVirt.Node.Reconcile;
using EdgeVirt.Node.State;
using EdgeVirt.Node.Telemetry;
using EdgeVirt.Node.VirtualMachines;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

const int Unusable = 2;

if (args is ["--version"])
{
    Console.WriteLine(AgentVersion.Text);
    return 0;
}

if (args is ["prepare", .. var preparing])
{
    return PrepareVerb.Run(preparing, Console.Error);
}

if (args is ["connect-cellular", .. var connecting])
{
    return await ConnectCellularVerb.RunAsync(connecting, Console.Out, Console.Error);
}

ProcessMemory.ShareHeap();
try
{
    var options = NodeOptionsReader.Read(args, Environment.GetEnvironmentVariable);
    using var instance = await InstanceLock.TakeAsync(options, TimeProvider.System);

    var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
    builder.Logging.SetMinimumLevel(LogLevel.Information).AddFilter("Microsoft", LogLevel.Warning);
    builder.Services
        .AddSingleton<ILoggerProvider>(new LineLoggerProvider(TimeProvider.System, LogLevel.Information))
        .Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(10))
        .Configure<ConsoleLifetimeOptions>(lifetime => lifetime.SuppressStatusMessages = true)
        .AddSingleton(options)
        .AddSingleton(TimeProvider.System)
        .AddState()
        .AddReconcilers()
        .AddImages()
        .AddNetworks()
        .AddContainers()
        .AddVirtualMachines()
        .AddControl()
        .AddOnBoard()
        .AddStatusLed()
        .AddHubLink()
        .AddTelemetry()
        .AddBoard()
        .AddNode();

    using var host = builder.Build();
    await host.StartAsync();
    await UntilAskedToEndAsync(host);
    await host.Services.GetRequiredService<NodeShutdown>().RunAsync();
    await host.StopAsync();
    return 0;
}
catch (NodeOptionsException e)
{
    await Console.Error.WriteLineAsync($"edgevirt-agent: {e.Message}");
    return Unusable;
}

static async Task UntilAskedToEndAsync(IHost host)
{
    var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    using var registration = host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.Register(asked.SetResult);
    await asked.Task;
}
