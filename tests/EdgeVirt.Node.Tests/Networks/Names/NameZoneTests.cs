using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Networks.Names;
using EdgeVirt.Node.State;

namespace EdgeVirt.Node.Tests.Networks.Names;

internal sealed class NameZoneTests
{
    [Test]
    public void Names_are_those_of_ready_workloads() => Assert.That(
        NameZone.Hosts([Seen("db", "10.88.0.3"), Seen("web", "10.88.0.2"), Seen("starting", "10.88.0.4", ready: false), Seen("gateway", null)], "10.88.0.1"),
        Is.EqualTo("10.88.0.3 db.edgevirt.internal\n10.88.0.2 web.edgevirt.internal\n10.88.0.1 gateway.edgevirt.internal\n"));

    [TestCase("", "nameserver 10.88.0.1\nsearch edgevirt.internal\n")]
    [TestCase("nameserver 127.0.0.53\nnameserver 192.0.2.1\n", "nameserver 10.88.0.1\nsearch edgevirt.internal\n")]
    [TestCase("domain old\nsearch  site.example\texample\n", "nameserver 10.88.0.1\nsearch edgevirt.internal site.example example\n")]
    [TestCase("# search no\noptions edns0 trust-ad\n", "nameserver 10.88.0.1\nsearch edgevirt.internal\noptions edns0 trust-ad\n")]
    public void Containers_ask_the_node_alone(string node, string expected) =>
        Assert.That(NameZone.ResolvConf(node, "10.88.0.1"), Is.EqualTo(expected));

    internal static ObservedWorkload Seen(string name, string? address, bool ready = true) => new(name, "uid", new WorkloadInstanceStatus
    {
        Node = "n1",
        Address = address,
        Conditions = [new Condition { Type = ConditionTypes.Ready, Status = ready ? ConditionStatus.True : ConditionStatus.False, Reason = ready ? ReadyReasons.Ready : ReadyReasons.Starting }],
    });
}
