using System.Net;
using EdgeVirt.Testing;

namespace EdgeVirt.SystemTests.Fixtures;

[Category("root")]
internal sealed class TestNetworkTests
{
    [Test]
    public void Namespaces_reach_the_host_and_each_other_until_disconnected()
    {
        using var network = new TestNetwork(2);
        var (first, second) = (network.Namespaces[0], network.Namespaces[1]);

        Assert.That(() => first.Run("ping", "-c1", "-W2", network.HostAddress.ToString()), Throws.Nothing);
        Assert.That(() => first.Run("ping", "-c1", "-W2", second.Address.ToString()), Throws.Nothing);

        second.Disconnect();
        Assert.That(() => first.Run("ping", "-c1", "-W1", second.Address.ToString()), Throws.InvalidOperationException);

        second.Connect();
        Assert.That(() => first.Run("ping", "-c3", "-W2", second.Address.ToString()), Throws.Nothing);
    }

    [Test]
    public void Leaves_no_namespace_link_or_process_behind()
    {
        string name;
        using (var network = new TestNetwork(2))
        {
            name = network.Name;
            // Left running on purpose: a node's monitors outlive the agent too.
            Command.Run("nsenter", $"--net=/run/netns/{network.Namespaces[0].Name}", "sh", "-c", "setsid sleep 613 >/dev/null 2>&1 &");
        }

        Assert.That(Command.Run("ip", "netns", "list"), Does.Not.Contain(name));
        Assert.That(Command.Run("ip", "-brief", "link"), Does.Not.Contain(name));
        Assert.That(Command.Try("pgrep", "-f", "^sleep 613$").ExitCode, Is.EqualTo(1));
    }

    [Test]
    public void Networks_side_by_side_have_subnets_of_their_own()
    {
        using var one = new TestNetwork();
        using var other = new TestNetwork();

        Assert.That(one.HostAddress, Is.Not.EqualTo(other.HostAddress));
        Assert.That(IPAddress.IsLoopback(one.HostAddress), Is.False);
    }
}
