using System.Globalization;
using System.Net;

namespace EdgeVirt.Testing;

/// <summary>
/// A bridge on the test machine and network namespaces joined to it, as a hub's site and its nodes' boards would be.
/// Needs root. Everything goes with it; what killed test processes left goes when the next network is made.
/// </summary>
public sealed class TestNetwork : IDisposable
{
    // Link names have 15 characters at most: ev<pid>x<number><b | h1…>, with a process id of up to seven digits.
    private const string Prefix = "ev";
    private static readonly Lock Sweeping = new();
    private static bool swept;

    private readonly FileStream subnetLock;

    /// <summary>Makes a network with some namespaces.</summary>
    /// <param name="namespaces">How many, at most 99.</param>
    public TestNetwork(int namespaces = 1)
    {
        Sweep();
        Name = string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Environment.ProcessId}x{Owner.NextNumber()}");
        (subnetLock, var subnet) = TakeSubnet();
        HostAddress = IPAddress.Parse($"10.214.{subnet}.1");
        Bridge = Name + "b";
        List<TestNamespace> made = [];
        try
        {
            Command.Run("ip", "link", "add", Bridge, "type", "bridge");
            Command.Run("ip", "address", "add", $"{HostAddress}/24", "dev", Bridge);
            Command.Run("ip", "link", "set", Bridge, "up");
            for (var i = 1; i <= namespaces; i++)
            {
                made.Add(new TestNamespace(this, i, IPAddress.Parse($"10.214.{subnet}.{i + 10}")));
            }
        }
        catch
        {
            Dispose();
            throw;
        }

        Namespaces = made;
    }

    /// <summary>Start of the names of everything that belongs to it.</summary>
    public string Name { get; }

    /// <summary>The bridge's name.</summary>
    public string Bridge { get; }

    /// <summary>The test machine's address on the bridge: where hub and registry listen.</summary>
    public IPAddress HostAddress { get; }

    /// <summary>In the order of their addresses.</summary>
    public IReadOnlyList<TestNamespace> Namespaces { get; } = [];

    /// <summary>Adds a place for a machine that is no namespace: a tap link on the bridge and an address that nobody has yet.</summary>
    /// <param name="number">1 to 99; another than those of the namespaces.</param>
    /// <returns>The link's name and the machine's address, a /24.</returns>
    public (string Link, IPAddress Address) AddTap(int number)
    {
        var link = string.Create(CultureInfo.InvariantCulture, $"{Name}h{number}");
        Command.Run("ip", "tuntap", "add", "dev", link, "mode", "tap");
        Command.Run("ip", "link", "set", link, "master", Bridge, "up");
        var host = HostAddress.GetAddressBytes();
        return (link, new IPAddress([host[0], host[1], host[2], (byte)(number + 10)]));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            Remove(NamespacesOf(Name), LinksOf(Name));
        }
        finally
        {
            subnetLock.Dispose();
        }
    }

    private static IEnumerable<string> NamespacesOf(string owner) =>
        Directory.Exists("/run/netns") ? Directory.EnumerateFiles("/run/netns", owner + "n*").Select(path => Path.GetFileName(path)!) : [];

    private static IEnumerable<string> LinksOf(string owner) =>
        Directory.EnumerateFileSystemEntries("/sys/class/net", owner + "?*").Select(path => Path.GetFileName(path)!)
            .Where(link => link[owner.Length] is 'b' or 'h');

    private static void Remove(IEnumerable<string> namespaces, IEnumerable<string> links)
    {
        foreach (var link in links.ToList())
        {
            Command.Try("ip", "link", "delete", link);
        }

        NodeRemains.Remove([.. namespaces], []);
    }

    // The lock ends with the process, so that a subnet is free again however the process ended.
    private static (FileStream Lock, int Subnet) TakeSubnet()
    {
        for (var subnet = 0; subnet < 250; subnet++)
        {
            try
            {
                var file = new FileStream($"/run/lock/edgevirt-test-subnet-{subnet}", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
                if (!Command.Run("ip", "-4", "route", "show").Contains($"10.214.{subnet}.", StringComparison.Ordinal))
                {
                    return (file, subnet);
                }

                file.Dispose();
            }
            catch (IOException)
            {
                // Another test process has it.
            }
        }

        throw new InvalidOperationException("Every subnet of 10.214.0.0/16 is taken: look at 'ip -4 route' for leftovers.");
    }

    // Once per process: what test processes that were killed could not remove.
    private static void Sweep()
    {
        lock (Sweeping)
        {
            if (swept)
            {
                return;
            }

            swept = true;
            var things = Directory.Exists("/run/netns") ? Directory.EnumerateFiles("/run/netns", Prefix + "*") : [];
            foreach (var thing in things.Concat(Directory.EnumerateFileSystemEntries("/sys/class/net", Prefix + "*b")).ToList())
            {
                var name = Path.GetFileName(thing);
                var pid = string.Concat(name[Prefix.Length..].TakeWhile(char.IsAsciiDigit));
                var owner = Prefix + pid + "x" + string.Concat(name[(Prefix.Length + pid.Length)..].Skip(1).TakeWhile(char.IsAsciiDigit));
                if (name.StartsWith(owner, StringComparison.Ordinal) && Owner.IsGone(pid, File.GetCreationTimeUtc(thing)))
                {
                    Remove(NamespacesOf(owner), LinksOf(owner));
                }
            }
        }
    }
}
