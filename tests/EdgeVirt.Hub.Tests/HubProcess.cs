using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text.Json;

namespace EdgeVirt.Hub.Tests;

/// <summary>A hub in a process of its own, for what must survive the process.</summary>
internal sealed class HubProcess : IDisposable
{
    private readonly Process process;
    private readonly HubOptions options;

    private HubProcess(Process process, HubOptions options) => (this.process, this.options) = (process, options);

    public static async Task<HubProcess> StartAsync(HubOptions options)
    {
        string[] arguments =
        [
            typeof(HubOptions).Assembly.Location, "--data-dir", options.DataDir, "--listen", "127.0.0.1",
            "--api-port", "0", "--node-port", "0", "--mqtt-port", "0",
        ];
        var start = new ProcessStartInfo("dotnet", arguments) { RedirectStandardOutput = true };
        var hub = new HubProcess(Process.Start(start)!, options);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (await hub.process.StandardOutput.ReadLineAsync(patience.Token) is { } line)
        {
            if (line.Contains(" ready: ", StringComparison.Ordinal))
            {
                // Nobody listens further: drain, so that the hub never waits for the pipe.
                _ = hub.process.StandardOutput.ReadToEndAsync(CancellationToken.None);
                return hub;
            }
        }

        hub.Dispose();
        throw new InvalidOperationException($"The hub ended before it was ready.");
    }

    public HttpClient Client()
    {
        using var endpoints = JsonDocument.Parse(File.ReadAllBytes(options.EndpointsFile));
#pragma warning disable CA5359, CA5399, CA2000 // The hub's own certificate on loopback; the handler goes with the client.
        var handler = new SocketsHttpHandler();
        handler.SslOptions.RemoteCertificateValidationCallback = (_, _, _, _) => true;
        var client = new HttpClient(handler)
        {
            BaseAddress = new Uri($"https://localhost:{endpoints.RootElement.GetProperty("apiPort").GetInt32()}"),
            Timeout = TimeSpan.FromSeconds(20),
        };
#pragma warning restore CA5359, CA5399, CA2000
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", File.ReadAllText(options.AdminTokenFile).Trim());
        return client;
    }

    /// <summary>SIGKILL.</summary>
    public void Kill()
    {
        process.Kill();
        process.WaitForExit(TimeSpan.FromSeconds(10));
    }

    public void Dispose()
    {
        if (!process.HasExited)
        {
            Kill();
        }

        process.Dispose();
    }
}
