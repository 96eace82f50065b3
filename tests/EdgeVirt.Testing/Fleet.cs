using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Testing;

/// <summary>A hub, a registry with the sample images and some enrolled nodes (or none), all of them the published programs, on a network of the test's own.</summary>
public sealed class Fleet : IAsyncDisposable
{
    public const string RegistryName = "registry.edgevirt.test";
    public const string WebImage = $"{RegistryName}/sample/web:1";
    public const string BusyboxImage = $"{RegistryName}/sample/busybox:1";
    private static readonly TimeSpan ReadyTimeout = TimeSpan.FromSeconds(60);

    private readonly List<RealNode> nodes = [];
    private TestNetwork? network;
    private Registry? registry;
    private RealHub? hub;

    private Fleet()
    {
    }

    public RealHub Hub => hub!;

    public Registry Registry => registry!;

    public TestNetwork Network => network!;

    public RealNode Node => nodes[0];

    public IReadOnlyList<RealNode> Nodes => nodes;

    public static async Task<Fleet> StartAsync(int nodes = 1, Action<JsonObject>? configure = null)
    {
        var fleet = new Fleet();
        try
        {
            fleet.network = new TestNetwork(nodes);
            fleet.registry = await Registry.StartAsync(fleet.network.HostAddress);
            fleet.registry.Push(SampleImages.Web, "sample/web:1");
            fleet.registry.Push(SampleImages.Busybox, "sample/busybox:1");
            fleet.hub = await RealHub.StartAsync(fleet.network.HostAddress);
            var token = nodes > 0 ? await fleet.Hub.Api.CreateClaimAsync("fleet", nodes) : "";
            for (var i = 0; i < nodes; i++)
            {
                fleet.Add($"node-{i + 1}", token, configure);
                await fleet.nodes[i].StartAsync();
            }

            foreach (var node in fleet.nodes)
            {
                await fleet.WaitForNodeAsync(node.Name);
            }

            return fleet;
        }
        catch
        {
            await fleet.DisposeAsync();
            throw;
        }
    }

    /// <summary>A further node, not started; the fleet's network must have a place for it.</summary>
    public RealNode Add(string name, string? token, Action<JsonObject>? configure = null)
    {
        var node = new RealNode(network!.Namespaces[nodes.Count], name);
        nodes.Add(node);
        node.Configure(Hub, token, new Dictionary<string, Uri> { [RegistryName] = Registry.Url }, settings =>
        {
            settings["heartbeatSeconds"] = 2;
            settings["telemetryIntervalSeconds"] = 1;
            configure?.Invoke(settings);
        });
        return node;
    }

    /// <summary>The node's status once the hub says that it is Ready.</summary>
    public Task<NodeStatus> WaitForNodeAsync(string name) => HubApi.WaitForAsync(
        $"node {name} to be Ready",
        () => NodeStatusAsync(name),
        status => status.Is("Ready", ConditionStatus.True),
        status => status.ToString(),
        ReadyTimeout);

    public async Task<NodeStatus> NodeStatusAsync(string name) =>
        await Hub.Api.GetAsync(ResourceKind.Node, name) is { Status: { } status }
            ? JsonSerializer.Deserialize(status, ContractsJson.Default.NodeStatus)!
            : new NodeStatus();

    /// <summary>Applies the sample web server on every node and waits until it is Ready there.</summary>
    public async Task RunWebAsync()
    {
        await Hub.Api.ApplyAsync(SampleManifests.Web);
        await Hub.Api.WaitForWorkloadAsync("web", nodes.Count, ReadyTimeout);
    }

    /// <summary>Fetches the sample's page from a node's published port, asking until it answers.</summary>
    public static Task<string> FetchAsync(RealNode node, TimeSpan? timeout = null) => FetchAsync(node.Place.Address, timeout);

    /// <summary>Fetches the sample's page from its published port at an address, asking until it answers.</summary>
    public static async Task<string> FetchAsync(IPAddress address, TimeSpan? timeout = null)
    {
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(2) };
        return await HubApi.WaitForAsync(
            $"an answer on port {SampleManifests.WebPort} of {address}",
            () => client.GetStringAsync(new Uri($"http://{address}:{SampleManifests.WebPort}/")),
            page => page.Contains("EdgeVirt", StringComparison.Ordinal),
            page => page,
            timeout ?? TimeSpan.FromSeconds(20));
    }

    /// <summary>Whether the page can be fetched at this moment, without asking twice.</summary>
    public static async Task<HttpStatusCode> FetchOnceAsync(RealNode node)
    {
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(2) };
        using var answer = await client.GetAsync(new Uri($"http://{node.Place.Address}:{SampleManifests.WebPort}/"));
        return answer.StatusCode;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in nodes)
        {
            await node.DisposeAsync();
        }

        if (hub is not null)
        {
            await hub.DisposeAsync();
        }

        if (registry is not null)
        {
            await registry.DisposeAsync();
        }

        network?.Dispose();
    }
}
