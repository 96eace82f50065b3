using System.Net;
using System.Net.Sockets;
using EdgeVirt.Linux;
using EdgeVirt.Node.Networks;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.Networks;

/// <summary>A node's bridge in a namespace of the test's own, and places on it that no container is in.</summary>
internal sealed class BridgedNamespaces : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly TempDirectory directory = new();
    private readonly List<Attachment> attachments = [];

    private BridgedNamespaces()
    {
        NetworkNamespaces.Create(Host);
        Options = new NodeOptions { DataDir = directory.Combine("data"), RunDir = directory.Combine("run") };
        Network = new NodeNetwork(Options, Host);
    }

    public NodeOptions Options { get; }

    public NodeNetwork Network { get; }

    public string Host => directory.Combine("host.netns");

    /// <param name="addresses">Of the node, each on its loopback.</param>
    public static async Task<BridgedNamespaces> MakeAsync(params string[] addresses)
    {
        var made = new BridgedNamespaces();
        await made.IpAsync("link", "set", "lo", "up");
        foreach (var address in addresses)
        {
            await made.IpAsync("address", "add", address + "/32", "dev", "lo");
        }

        return made;
    }

    /// <summary>A place on the bridge. Its ports are published only with <paramref name="reserve"/>.</summary>
    public async Task<Attachment> AttachAsync(string id, bool reserve, params Forward[] forwards)
    {
        var address = Network.Take(null);
        var attachment = new Attachment(id, directory.Combine($"{id}.netns"), address, [.. forwards.Select(forward => forward with { Address = address })]);
        if (reserve)
        {
            Assert.That(Network.Reserve(id, attachment.Forwards), Is.Null);
        }

        await Network.OpenAsync(attachment, default);
        await Network.ConnectAsync(attachment, default);
        attachments.Add(attachment);
        return attachment;
    }

    public async Task DetachAsync(Attachment attachment)
    {
        await Network.DetachAsync(attachment, default);
        Network.Release(attachment.Id);
        attachments.Remove(attachment);
    }

    /// <summary>A socket of a place; null: of the node.</summary>
    public Socket NewSocket(Attachment? place, ProtocolType protocol) => NetworkNamespaces.Run(
        place?.NamespacePath ?? Host, () => new Socket(AddressFamily.InterNetwork, protocol == ProtocolType.Udp ? SocketType.Dgram : SocketType.Stream, protocol));

    /// <summary>What answers there. A refused or lost connection is a failure.</summary>
    public async Task<string> AskAsync(Attachment? place, string address, int port)
    {
        using var limit = new CancellationTokenSource(Patience);
        using var socket = NewSocket(place, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Parse(address), port, limit.Token);
        using var reader = new StreamReader(new NetworkStream(socket));
        return await reader.ReadToEndAsync(limit.Token);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var attachment in attachments.ToList())
        {
            await DetachAsync(attachment);
        }

        await Network.RemoveAsync(default);
        Network.Dispose();
        NetworkNamespaces.Delete(Host);
        directory.Dispose();
    }

    /// <summary>A place beyond the node's uplink that sends everything by way of the node, which is 10.9.0.1 there.</summary>
    public async Task<Attachment> AttachOutsideAsync()
    {
        var outside = new Attachment("outside", directory.Combine("outside.netns"), "10.9.0.2", []);
        NetworkNamespaces.Create(outside.NamespacePath);
        await IpAsync("link", "add", "uplink0", "type", "veth", "peer", "name", "eth0", "netns", outside.NamespacePath);
        await IpAsync("address", "add", "10.9.0.1/24", "dev", "uplink0");
        await IpAsync("link", "set", "uplink0", "up");
        foreach (var arguments in (string[][])[["address", "add", "10.9.0.2/24", "dev", "eth0"], ["link", "set", "eth0", "up"], ["route", "add", "default", "via", "10.9.0.1"]])
        {
            await NetworkNamespaces.Run(outside.NamespacePath, () => ProcessRunner.RunAsync("ip", arguments, Patience));
        }

        attachments.Add(outside);
        return outside;
    }

    private Task<ProcessResult> IpAsync(params string[] arguments) => NetworkNamespaces.Run(Host, () => ProcessRunner.RunAsync("ip", arguments, Patience));
}
