using System.Globalization;
using System.Net;
using System.Text;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.Networks.Names;

/// <summary>Whose control group the name server has.</summary>
/// <param name="Parent">Path of the node's, below the root.</param>
internal sealed record NameServerGroup(string Parent)
{
    public string Path => $"{Parent}/names";
}

/// <summary>
/// The node's dnsmasq: one small process that outlives the agent and is found again by its pid file. It reads the names by
/// itself when their file changes, and the node's resolvers when those change.
/// </summary>
/// <param name="options">Say where its files are, and the subnet.</param>
/// <param name="network">Where it listens.</param>
/// <param name="cgroups">Put it out of the agent's own group.</param>
/// <param name="group">Into this one.</param>
/// <param name="time">For the wait until it has ended.</param>
/// <param name="resolvConf">The node's resolvers.</param>
internal sealed class NameServer(
    NodeOptions options, NodeNetwork network, Cgroups cgroups, NameServerGroup group, TimeProvider time, string resolvConf = "/etc/resolv.conf")
{
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode Everyone = Readable | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    private const int Reread = 1; // SIGHUP
    private const int Terminate = 15;
    private const int Kill = 9;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(1);

    private readonly string directory = Path.Combine(options.RunDir, "names");

    /// <summary>Whether this machine has the program.</summary>
    public static bool IsInstalled { get; } = Array.Exists((string[])["/usr/sbin/dnsmasq", "/usr/local/sbin/dnsmasq", "/usr/bin/dnsmasq"], File.Exists);

    private string Hosts => Path.Combine(directory, "hosts");

    private string PidFile => Path.Combine(directory, "dnsmasq.pid");

    private string Leases => Path.Combine(directory, "leases");

    private string[] Arguments =>
    [
        "--conf-file=/dev/null", $"--pid-file={PidFile}", "--user=nobody", "--group=nogroup",
        // On a port that the rules lead to, so that port 53 of every address stays free for workloads and the node.
        $"--listen-address={network.Gateway}", $"--port={FirewallRules.NamesPort.ToString(CultureInfo.InvariantCulture)}", "--bind-interfaces",
        "--no-hosts", $"--hostsdir={Hosts}", $"--resolv-file={resolvConf}",
        // What is not in the file does not exist, and is never asked of others.
        $"--local=/{NameZone.Domain}/", $"--rev-server={options.WorkloadSubnet}", "--domain-needed",
        "--local-ttl=1", "--cache-size=1000",
        .. File.Exists(Leases) ? DhcpArguments : [],
    ];

    // Who has no address of its own there gets none; nothing is remembered, as nothing is handed out by chance.
    private string[] DhcpArguments =>
    [
        $"--dhcp-range={IPNetwork.Parse(options.WorkloadSubnet).BaseAddress},static,infinite", $"--dhcp-hostsfile={Leases}", "--leasefile-ro", "--no-ping", "--dhcp-authoritative",
        $"--dhcp-option=option:router,{network.Gateway}", $"--dhcp-option=option:dns-server,{network.Gateway}", $"--dhcp-option=option:domain-search,{NameZone.Domain}",
        // What a guest calls itself is no name on the node.
        "--dhcp-ignore-names", $"--domain={NameZone.Domain}",
    ];

    /// <summary>Replaces the names at once.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public void Write(string hosts)
    {
        Directory.CreateDirectory(directory, Everyone);
        Directory.CreateDirectory(Hosts, Everyone);
        Replace(Path.Combine(Hosts, "workloads"), hosts);
    }

    /// <summary>Replaces the addresses that virtual machines get; empty: none are handed out.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public void WriteLeases(string leases)
    {
        Directory.CreateDirectory(directory, Everyone);
        if (leases.Length == 0)
        {
            File.Delete(Leases);
        }
        else if (Replace(Leases, leases) && Running() is { } running)
        {
            // It looks by itself only for those that are new.
            Processes.Signal(running, Reread);
        }
    }

    private bool Replace(string path, string text)
    {
        if (File.Exists(path) && File.ReadAllText(path) == text)
        {
            return false;
        }

        // It reads whatever appears in the directory, so a half-written file must not.
        var temporary = Path.Combine(directory, Path.GetFileName(path) + ".tmp");
        File.Delete(temporary);
        using (var file = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Readable }))
        {
            File.SetUnixFileMode(file.SafeFileHandle, Readable);
            file.Write(Encoding.ASCII.GetBytes(text));
        }

        File.Move(temporary, path, overwrite: true);
        return true;
    }

    /// <summary>Lets one that runs as it should go on; starts it otherwise. The bridge must be there.</summary>
    /// <returns>Whether it had to be started.</returns>
    /// <exception cref="IOException">It could not be started.</exception>
    public async Task<bool> EnsureAsync(CancellationToken ct)
    {
        var running = Running();
        if (running is not null && Processes.ArgumentsOf(running.Pid).Skip(1).SequenceEqual(Arguments))
        {
            return false;
        }

        await EndAsync(running ?? Lost(), ct);
        await network.RunAsync("dnsmasq", Arguments, Timeout, ct);
        if (Running() is { } started)
        {
            cgroups.Place(started.Pid, group.Path);
        }

        return true;
    }

    /// <summary>Ends it and takes its files away. Nothing there is no failure.</summary>
    public async Task RemoveAsync(CancellationToken ct)
    {
        if (!Directory.Exists(directory))
        {
            return;
        }

        await EndAsync(Running() ?? Lost(), ct);
        Directory.Delete(directory, recursive: true);
        cgroups.Remove(group.Path);
        cgroups.Remove(group.Parent);
        cgroups.Remove(Path.GetDirectoryName(group.Parent)!);
    }

    private ProcessIdentity? Running() =>
        File.Exists(PidFile) && int.TryParse(File.ReadAllText(PidFile), CultureInfo.InvariantCulture, out var pid) && IsOurs(Processes.ArgumentsOf(pid)) ? Processes.Identify(pid) : null;

    // Should its pid file be gone.
    private ProcessIdentity? Lost() =>
        Processes.List().Where(process => IsOurs(process.Arguments)).Select(process => Processes.Identify(process.Pid)).FirstOrDefault(found => found is not null);

    private bool IsOurs(IReadOnlyList<string> arguments) => arguments.Count > 0 && Path.GetFileName(arguments[0]) == "dnsmasq" && arguments.Contains($"--pid-file={PidFile}");

    private async Task EndAsync(ProcessIdentity? process, CancellationToken ct)
    {
        if (process is null || !Processes.Signal(process, Terminate))
        {
            return;
        }

        var began = time.GetTimestamp();
        while (Processes.IsAlive(process) && time.GetElapsedTime(began) < EndTimeout)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), time, ct);
        }

        Processes.Signal(process, Kill);
    }
}
