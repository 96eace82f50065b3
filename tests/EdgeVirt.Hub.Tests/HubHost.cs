using System.Net.Http.Headers;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Hub.Tests;

/// <summary>A whole hub in this process, on loopback and free ports, with a data directory of its own that goes with it.</summary>
internal sealed class HubHost : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly DataDirectory directory;

    private HubHost(WebApplication app, DataDirectory directory, LogLines log) => (this.app, this.directory, Log) = (app, directory, log);

    public IServiceProvider Services => app.Services;

    public HubOptions Options => app.Services.GetRequiredService<HubOptions>();

    public HubEndpoints Endpoints => app.Services.GetRequiredService<HubEndpoints>();

    /// <summary>All that the hub logged, at every level.</summary>
    public LogLines Log { get; }

    public string AdminToken => File.ReadAllText(Options.AdminTokenFile).Trim();

    public static async Task<HubHost> StartAsync(Action<IServiceCollection>? configure = null)
    {
        var directory = new DataDirectory();
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = directory.Path });
        var log = new LogLines();
        builder.Logging.ClearProviders().AddProvider(log).SetMinimumLevel(LogLevel.Trace);
        configure?.Invoke(builder.Services);
        var app = EdgeVirt.Hub.Program.Build(builder, directory.Options);
        await app.StartAsync();
        return new HubHost(app, directory, log);
    }

    /// <summary>A client of the API.</summary>
    /// <param name="token">Absent: the admin's; empty: none.</param>
    public HttpClient Client(string? token = null)
    {
#pragma warning disable CA5359, CA5399, CA2000 // The hub's own certificate on loopback; the handler goes with the client.
        var handler = new SocketsHttpHandler();
        handler.SslOptions.RemoteCertificateValidationCallback = (_, _, _, _) => true;
        var client = new HttpClient(handler) { BaseAddress = new Uri($"https://localhost:{Endpoints.ApiPort}"), Timeout = TimeSpan.FromSeconds(20) };
#pragma warning restore CA5359, CA5399, CA2000
        if (token != "")
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token ?? AdminToken);
        }

        return client;
    }

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        await app.DisposeAsync();
        directory.Dispose();
    }
}
