using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.VirtualMachines.CloudInit;

namespace EdgeVirt.Node.Tests.VirtualMachines.CloudInit;

public sealed class CloudInitSeedTests
{
    private static readonly SeedInterface[] Cards = [new("lan", "52:54:00:12:34:56"), new("wan", "52:54:00:12:34:57")];

    [Test]
    public void Says_who_the_machine_is()
    {
        var seed = For(new CloudInitSpec { SshAuthorizedKeys = ["ssh-ed25519 AAAA+/= a@b\n", "ssh-rsa BBBB \"quoted\""], Hostname = "gateway" });
        Assert.That(seed.MetaData, Does.Match("^{\"instance-id\":\"iid-[0-9a-f]{32}\",\"local-hostname\":\"gateway\",\"public-keys\":\\[\"ssh-ed25519 AAAA\\+/= a@b\",\"ssh-rsa BBBB \\\\\"quoted\\\\\"\"\\]}\n$"));
    }

    [Test]
    public void Says_little_where_little_is_wanted()
    {
        var seed = For(new CloudInitSpec(), []);
        Assert.That(seed.MetaData, Does.EndWith(",\"local-hostname\":\"router\"}\n"));
        Assert.That(seed.UserData, Is.EqualTo("#cloud-config\n{}\n"));
        Assert.That(seed.NetworkConfig, Is.EqualTo("{\"version\":2,\"ethernets\":{}}\n"));
    }

    [Test]
    public void Every_card_asks_for_an_address() =>
        Assert.That(
            For(new CloudInitSpec()).NetworkConfig,
            Is.EqualTo("{\"version\":2,\"ethernets\":{\"lan\":{\"match\":{\"macaddress\":\"52:54:00:12:34:56\"},\"dhcp4\":true,\"dhcp-identifier\":\"mac\"},"
                + "\"wan\":{\"match\":{\"macaddress\":\"52:54:00:12:34:57\"},\"dhcp4\":true,\"dhcp-identifier\":\"mac\"}}}\n"));

    [Test]
    public void What_the_operator_says_is_handed_on_as_it_is()
    {
        var seed = For(new CloudInitSpec { UserData = "#!/bin/sh\necho é\n", NetworkConfig = "version: 2\n" });
        Assert.That((seed.UserData, seed.NetworkConfig), Is.EqualTo(("#!/bin/sh\necho é\n", "version: 2\n")));
        Assert.That(CloudInitSeed.For("router", "u", new CloudInitSpec(), "#cloud-config\nfrom: secret\n", Cards).UserData, Is.EqualTo("#cloud-config\nfrom: secret\n"));
    }

    [Test]
    public void The_instance_is_another_one_when_anything_that_it_is_told_changes()
    {
        var spec = new CloudInitSpec { UserData = "a", SshAuthorizedKeys = ["k"] };
        string[] ids =
        [
            IdOf(spec),
            IdOf(spec with { UserData = "b" }),
            IdOf(spec with { SshAuthorizedKeys = ["k", "l"] }),
            IdOf(spec with { Hostname = "h" }),
            IdOf(spec with { NetworkConfig = "version: 2" }),
            IdOf(spec, uid: "another"),
        ];
        Assert.That(ids, Is.Unique);
        Assert.That(IdOf(spec with { UserData = "a" }), Is.EqualTo(ids[0]));
    }

    private static CloudInitSeed For(CloudInitSpec spec, SeedInterface[]? cards = null) => CloudInitSeed.For("router", "uid-1", spec, null, cards ?? Cards);

    private static string IdOf(CloudInitSpec spec, string uid = "uid-1") => CloudInitSeed.For("router", uid, spec, null, Cards).MetaData.Split('"')[3];
}
