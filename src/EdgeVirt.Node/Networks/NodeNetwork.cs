using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.Networks;

/// <summary>A workload's place on the bridge.</summary>
/// <param name="Id">Of its sandbox.</param>
/// <param name="NamespacePath">Where its network namespace is held.</param>
/// <param name="Address">Its address.</param>
/// <param name="Forwards">Node ports that lead to it.</param>
internal sealed record Attachment(string Id, string NamespacePath, string Address, IReadOnlyList<Forward> Forwards)
{
    /// <summary>To whom the network namespace belongs; null: the node's own users.</summary>
    public NamespaceUsers? Users { get; init; }
}

/// <summary>The user namespace of a workload.</summary>
/// <param name="Path">Where it is held.</param>
/// <param name="FirstHostId">The id of the node that is 0 in it.</param>
/// <param name="Count">How many ids it has.</param>
internal sealed record NamespaceUsers(string Path, uint FirstHostId, uint Count);

/// <summary>
/// The bridge that workloads share, and what hangs on it. One per network namespace of the machine. Links and rules are
/// found again by their names alone; nothing is remembered over a restart of the agent.
/// </summary>
/// <param name="options">Say which subnet.</param>
/// <param name="hostNamespace">The network namespace that the bridge is in; null: this process's own.</param>
internal sealed partial class NodeNetwork(NodeOptions options, string? hostNamespace = null) : IDisposable
{
    public const string Bridge = "evbr0";
    private const string LinkPrefix = "ev";
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(20);

    private readonly AddressPool pool = new(options.WorkloadSubnet);
    private readonly PortReservations ports = new();
    private readonly SemaphoreSlim setup = new(1, 1);
    private bool ready;

    /// <summary>The bridge's address.</summary>
    public string Gateway => pool.Gateway;

    public bool HasBridge => HasLink(Bridge);

    /// <summary>Runs a program in the network that the bridge is in.</summary>
    /// <exception cref="ProcessFailedException">It did not start, took too long, or failed.</exception>
    public Task<ProcessResult> RunAsync(string file, IReadOnlyList<string> args, TimeSpan timeout, CancellationToken ct) =>
        OnHost(() => ProcessRunner.RunAsync(file, args, timeout, ct: ct));

    /// <summary>A TCP socket in the network that the bridge is in.</summary>
    public Socket NewSocket()
    {
        static Socket Make() => new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        return hostNamespace is null ? Make() : NetworkNamespaces.Run(hostNamespace, Make);
    }

    /// <summary>Takes an address, or the one that a record says.</summary>
    /// <exception cref="AddressesExhaustedException">None is free.</exception>
    public string Take(string? recorded)
    {
        lock (pool)
        {
            return recorded is not null && pool.TryTake(recorded) ? recorded : pool.Take();
        }
    }

    public void Free(string address)
    {
        lock (pool)
        {
            pool.Free(address);
        }
    }

    /// <summary>
    /// Puts the whole right after a start of the agent: rules for what was reserved and nothing else, and no links but
    /// those of these attachments. Does nothing where the bridge is not there and nobody needs it.
    /// </summary>
    public async Task RecoverAsync(IReadOnlyList<Attachment> attachments, CancellationToken ct)
    {
        if (attachments.Count == 0 && !HasLink(Bridge))
        {
            recovered.TrySetResult();
            return;
        }

        await EnsureAsync(ct);
        recovered.TrySetResult();
        var expected = attachments.Select(attachment => LinkOf(attachment.Id)).ToHashSet();
        var links = await OnHostAsync("ip", ["-json", "link", "show", "type", "veth"], default, ct);
        var stale = NamesIn(links.Output).Where(name => name.StartsWith(LinkPrefix, StringComparison.Ordinal) && !expected.Contains(name)).ToList();
        if (stale.Count > 0)
        {
            await BatchAsync(string.Concat(stale.Select(name => $"link delete {name}\n")), ct, force: true);
        }
    }

    /// <summary>Makes the namespace, with nothing in it yet. A half-made one is made anew.</summary>
    /// <exception cref="IOException">A tool or the kernel refused.</exception>
    public async Task OpenAsync(Attachment attachment, CancellationToken ct)
    {
        await EnsureAsync(ct);
        if (File.Exists(attachment.NamespacePath) || HasLink(LinkOf(attachment.Id)))
        {
            await DetachAsync(attachment, ct);
        }

        if (attachment.Users is { } users)
        {
            NetworkNamespaces.Delete(users.Path);
            await UserNamespaces.CreateAsync(users.Path, attachment.NamespacePath, users.FirstHostId, users.Count, ct);
            return;
        }

        NetworkNamespaces.Create(attachment.NamespacePath);
    }

    /// <summary>Gives an open namespace its link, address and route, and publishes the ports that are reserved for it.</summary>
    /// <exception cref="IOException">A tool or the kernel refused.</exception>
    public async Task ConnectAsync(Attachment attachment, CancellationToken ct)
    {
        var publish = PublishAsync(attachment.Id, ct);
        var link = LinkOf(attachment.Id);
        // Where the kernel shows bridged packets to the rules (br_netfilter), who calls itself by a node port comes back by the port it left.
        await BatchAsync(
            $"link add {link} type veth peer name eth0 netns {attachment.NamespacePath}\nlink set {link} master {Bridge} up\nlink set {link} type bridge_slave hairpin on\n", ct);
        var inside = Batch(
            $"link set lo up\naddress add {attachment.Address}/{pool.PrefixLength} dev eth0\nlink set eth0 up\nroute add default via {pool.Gateway}\n");
        await Task.WhenAll(
            NetworkNamespaces.Run(attachment.NamespacePath, () => ProcessRunner.RunAsync("ip", ["-batch", "-"], Timeout, inside, ct)), publish);
    }

    /// <summary>Takes away what <see cref="OpenAsync"/> and <see cref="ConnectAsync"/> made, also where it got only half way.</summary>
    public async Task DetachAsync(Attachment attachment, CancellationToken ct)
    {
        await WithdrawAsync(attachment.Id, ct);
        var link = LinkOf(attachment.Id);
        if (HasLink(link))
        {
            await BatchAsync($"link delete {link}\n", ct, force: true);
        }

        NetworkNamespaces.Delete(attachment.NamespacePath);
    }

    /// <summary>Takes the bridge and the rules away. Only when no workload is left.</summary>
    public async Task RemoveAsync(CancellationToken ct)
    {
        await setup.WaitAsync(ct);
        try
        {
            ready = false;
            await OnHostAsync("nft", ["delete", "table", "ip", FirewallRules.Table], default, ct, check: false);
            await OnHostAsync("ip", ["link", "delete", Bridge], default, ct, check: false);
        }
        finally
        {
            setup.Release();
        }
    }

    public void Dispose() => setup.Dispose();

    /// <summary>Name of the host's end of a sandbox's link; at most 15 characters are allowed.</summary>
    internal static string LinkOf(string id) => LinkPrefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)).AsSpan(0, 6));

    internal static IReadOnlyList<string> NamesIn(string json)
    {
        using var document = JsonDocument.Parse(json.Length == 0 ? "[]" : json);
        return [.. document.RootElement.EnumerateArray()
            .Select(link => link.TryGetProperty("ifname", out var name) ? name.GetString() : null)
            .OfType<string>()];
    }

    private async Task EnsureAsync(CancellationToken ct)
    {
        if (Volatile.Read(ref ready) && HasLink(Bridge))
        {
            return;
        }

        await setup.WaitAsync(ct);
        try
        {
            if (!HasLink(Bridge))
            {
                await BatchAsync(
                    $"link add {Bridge} type bridge\naddress add {pool.Gateway}/{pool.PrefixLength} dev {Bridge}\nlink set {Bridge} up\n", ct);
            }
            else if (ready)
            {
                return;
            }

            OnHost(() =>
            {
                File.WriteAllText("/proc/sys/net/ipv4/ip_forward", "1");
                // Lets packets to 127.0.0.1:<published port> go on to the bridge; the guard chain keeps others' out.
                File.WriteAllText($"/proc/sys/net/ipv4/conf/{Bridge}/route_localnet", "1");
                return true;
            });
            await RulesAsync(FirewallRules.Everything(Bridge, pool.Gateway, pool.Subnet, ports.All), ct);
            Volatile.Write(ref ready, true);
        }
        finally
        {
            setup.Release();
        }
    }

    private Task<ProcessResult> RulesAsync(string rules, CancellationToken ct) => OnHostAsync("nft", ["-f", "-"], Encoding.UTF8.GetBytes(rules), ct);

    private Task<ProcessResult> BatchAsync(string commands, CancellationToken ct, bool force = false) =>
        OnHostAsync("ip", force ? ["-force", "-batch", "-"] : ["-batch", "-"], Batch(commands), ct, check: !force);

    private Task<ProcessResult> OnHostAsync(
        string file, IReadOnlyList<string> args, ReadOnlyMemory<byte> stdin, CancellationToken ct, bool check = true) =>
        OnHost(() => ProcessRunner.RunAsync(file, args, Timeout, stdin, ct, check));

    // Of the thread that asks; /sys shows the links of whoever mounted it.
    private bool HasLink(string name) => OnHost(() =>
        File.ReadLines("/proc/thread-self/net/dev").Any(line => line.AsSpan().TrimStart() is var text && text.StartsWith(name) && text[name.Length..].StartsWith(":")));

    private T OnHost<T>(Func<T> work) => hostNamespace is null ? work() : NetworkNamespaces.Run(hostNamespace, work);

    private static ReadOnlyMemory<byte> Batch(string commands) => Encoding.UTF8.GetBytes(commands);
}
