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
        var rules = FirewallRules.Everything("evbr0", "10.88.0.0/16", [new Forward("tcp", 8080, "10.88.0.2", 80)]);
        Assert.That(rules, Does.Contain("delete table ip edgevirt"));
        Assert.That(rules, Does.EndWith("add element ip edgevirt tcp_ports { 8080 : 10.88.0.2 . 80 }\n"));
    }
}
