using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace EdgeVirt.Testing;

/// <summary>Debian's docker-registry as a child of the test, with images pushed by skopeo.</summary>
public sealed class Registry : IAsyncDisposable
{
    private readonly TempDirectory directory = new();
    private readonly IPAddress address;
    private readonly int port;
    private ChildProcess? process;

    private Registry(IPAddress address, int port)
    {
        this.address = address;
        this.port = port;
    }

    /// <summary>Base address, plain http.</summary>
    public Uri Url => new(string.Create(CultureInfo.InvariantCulture, $"http://{address}:{port}"));

    /// <summary>Where its blobs lie, below <c>docker/registry/v2</c>; for tests that damage them.</summary>
    public string StorageDirectory => directory.Combine("storage");

    /// <summary>Starts an empty registry on a free port and waits until it answers.</summary>
    public static async Task<Registry> StartAsync(IPAddress address)
    {
        using var probe = new TcpListener(address, 0);
        probe.Start();
        var port = ((IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();
        var registry = new Registry(address, port);
        try
        {
            await registry.StartAsync();
            return registry;
        }
        catch
        {
            await registry.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts it again after <see cref="StopAsync"/>, with the images it had.</summary>
    public async Task StartAsync()
    {
        var configuration = directory.Combine("registry.yml");
        await File.WriteAllTextAsync(
            configuration,
            $"""
            version: 0.1
            log:
              level: warn
              accesslog:
                disabled: false
            storage:
              filesystem:
                rootdirectory: {StorageDirectory}
              delete:
                enabled: true
            http:
              addr: {address}:{port.ToString(CultureInfo.InvariantCulture)}
            """);
        process = ChildProcess.Start("docker-registry", ["serve", configuration], directory.Combine("registry.log"));
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(2) };
        await process.WaitUntilAsync(
            "ready",
            async () =>
            {
                try
                {
                    using var answer = await client.GetAsync(new Uri(Url, "/v2/"));
                    return answer.IsSuccessStatusCode;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            TimeSpan.FromSeconds(20));
    }

    /// <summary>Stops it; what it stores stays.</summary>
    public async Task StopAsync()
    {
        if (process is { } running)
        {
            process = null;
            await running.DisposeAsync();
        }
    }

    /// <summary>Copies an image of an OCI layout into it.</summary>
    /// <param name="layout">Path and tag, e.g. <c>/…/artifacts/images/sample:1</c>.</param>
    /// <param name="repository">Repository and tag, e.g. <c>sample/web:1</c>.</param>
    public void Push(string layout, string repository) =>
        Command.Run(
            "skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false",
            $"oci:{layout}", string.Create(CultureInfo.InvariantCulture, $"docker://{address}:{port}/{repository}"));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        directory.Dispose();
    }
}
