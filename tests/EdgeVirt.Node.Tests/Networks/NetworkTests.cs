using EdgeVirt.Node.Networks;

namespace EdgeVirt.Node.Tests.Networks;

internal sealed class NetworkTests
{
    [Test]
    public void Addresses_are_given_once_and_again_as_late_as_possible()
    {
        var pool = new AddressPool("10.1.0.0/29");
        Assert.That(pool.Gateway, Is.EqualTo("10.1.0.1"));
        Assert.That(pool.Take(), Is.EqualTo("10.1.0.2"));
        pool.Free("10.1.0.2");
        Assert.That(pool.Take(), Is.EqualTo("10.1.0.3"));
        Assert.That(pool.TryTake("10.1.0.4"), Is.True);
        Assert.That(pool.TryTake("10.1.0.4"), Is.False);
        Assert.That((string[])[pool.Take(), pool.Take(), pool.Take()], Is.EqualTo(["10.1.0.5", "10.1.0.6", "10.1.0.2"]));
        Assert.That(pool.Take, Throws.InstanceOf<AddressesExhaustedException>().With.Message.Contains("workloadSubnet"));
        pool.Free("10.1.0.4");
        Assert.That(pool.Take(), Is.EqualTo("10.1.0.4"));
    }

    [TestCase("10.1.0.1", TestName = "the bridge's")]
    [TestCase("10.1.0.7", TestName = "the broadcast address")]
    [TestCase("10.2.0.2", TestName = "of another subnet")]
    [TestCase("nonsense", TestName = "no address")]
    public void A_recorded_address_that_is_not_the_pools_is_not_taken(string address) =>
        Assert.That(new AddressPool("10.1.0.0/29").TryTake(address), Is.False);

    [Test]
    public void A_published_port_has_one_owner()
    {
        using var network = new NodeNetwork(new NodeOptions());
        Forward forward = new("tcp", 8080, "10.88.0.2", 80);
        Assert.That(network.Reserve("a", [forward]), Is.Null);
        Assert.That(network.Reserve("a", [forward]), Is.Null, "asking again is no conflict");
        Assert.That(network.Reserve("b", [new Forward("tcp", 9090, "10.88.0.3", 80), forward]), Is.EqualTo((forward, "a")));
        Assert.That(network.Reserve("c", [new Forward("tcp", 9090, "10.88.0.4", 80)]), Is.Null, "what a refused one took is free again");
        Assert.That(network.Reserve("d", [forward with { Protocol = "udp" }]), Is.Null);
        network.Release("a");
        Assert.That(network.Reserve("b", [forward]), Is.Null);
    }

    [Test]
    public void A_port_on_every_address_excludes_the_same_on_one()
    {
        using var network = new NodeNetwork(new NodeOptions());
        Forward every = new("tcp", 80, "10.88.0.2", 80), loopback = every with { HostAddress = "127.0.0.1" }, lan = every with { HostAddress = "10.0.0.1" };
        Assert.That(network.Reserve("a", [loopback]), Is.Null);
        Assert.That(network.Reserve("b", [lan]), Is.Null);
        Assert.That(network.Reserve("c", [every]), Is.EqualTo((every, "a")));
        Assert.That(network.Reserve("c", [loopback]), Is.EqualTo((loopback, "a")));
        network.Release("a");
        network.Release("b");
        Assert.That(network.Reserve("c", [every]), Is.Null);
        Assert.That(network.Reserve("d", [lan]), Is.EqualTo((lan, "c")));
    }

    [Test]
    public void Links_of_workloads_have_names_the_kernel_takes()
    {
        var name = NodeNetwork.LinkOf(new string('x', 200));
        Assert.That(name, Has.Length.LessThanOrEqualTo(15).And.StartWith("ev"));
        Assert.That(NodeNetwork.LinkOf("a"), Is.Not.EqualTo(NodeNetwork.LinkOf("b")));
    }

    [Test]
    public void Names_are_read_from_what_ip_says()
    {
        Assert.That(NodeNetwork.NamesIn("""[{"ifname":"ev01","link_index":2},{},{"ifname":"eth0"}]"""), Is.EqualTo(["ev01", "eth0"]));
        Assert.That(NodeNetwork.NamesIn(""), Is.Empty);
    }

    [Test]
    public void The_rules_replace_everything_in_one_transaction()
    {
        var rules = FirewallRules.Everything("evbr0", "10.88.0.1", "10.88.0.0/16", [new Forward("tcp", 8080, "10.88.0.2", 80)]);
        Assert.That(rules, Does.Contain("delete table ip edgevirt"));
        Assert.That(rules, Does.EndWith("add element ip edgevirt tcp_ports { 8080 : 10.88.0.2 . 80 }\n"));
    }

    [Test]
    public void Ports_on_one_address_have_a_map_of_their_own() => Assert.That(
        FirewallRules.Replace([new Forward("udp", 53, "10.88.0.2", 5353)], [new Forward("udp", 53, "10.88.0.3", 53, "127.0.0.1")]),
        Is.EqualTo("""
            add element ip edgevirt udp_ports { 53 : 10.88.0.2 . 5353 }
            delete element ip edgevirt udp_ports { 53 }
            add element ip edgevirt udp_address_ports { 127.0.0.1 . 53 : 10.88.0.3 . 53 }

            """));
}
