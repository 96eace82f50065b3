namespace EdgeVirt.Linux.Tests;

public sealed class NodeImageTests
{
    private string root = null!;

    [SetUp]
    public void SetUp() => root = Directory.CreateTempSubdirectory("edgevirt-root-").FullName;

    [TearDown]
    public void TearDown() => Directory.Delete(root, recursive: true);

    [Test]
    public void Reads_image_and_slot()
    {
        Write("etc/os-release", "ID=debian\nIMAGE_ID=edgevirt\nIMAGE_VERSION=\"13.1+1\"\nVARIANT_ID=production\n");
        Write("proc/cmdline", "BOOT_IMAGE=/vmlinuz rauc.slot=B quiet\n");
        Assert.That(NodeImage.Read(root), Is.EqualTo(new NodeImage("edgevirt", "13.1+1", "production", "B")));
    }

    [Test]
    public void A_plain_Debian_is_no_node_image()
    {
        Write("usr/lib/os-release", "ID=debian\nVERSION_ID=13\n");
        Assert.That(NodeImage.Read(root), Is.EqualTo(new NodeImage(null, null, null, null)));
        Assert.That(NodeImage.Read(Path.Combine(root, "nothing")).Id, Is.Null);
    }

    [Test]
    public void The_way_out_is_the_default_route_with_the_least_metric()
    {
        Write("proc/net/route", """
            Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
            wlan0	00000000	0102A8C0	0003	0	0	600	00000000	0	0	0
            eth0	00000000	0101A8C0	0003	0	0	100	00000000	0	0	0
            eth9	00000000	0101A8C0	0002	0	0	1	00000000	0	0	0
            eth1	0001A8C0	00000000	0001	0	0	0	00FFFFFF	0	0	0

            """);
        Assert.That(DefaultRoutes.Interface(root), Is.EqualTo("eth0"));
    }

    [Test]
    public void Without_one_of_IPv4_that_of_IPv6_counts_and_a_rejecting_one_does_not()
    {
        Write("proc/net/route", "Iface\tDestination\n");
        var zero = new string('0', 32);
        Write("proc/net/ipv6_route", $"""
            {zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
            {zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo

            """);
        Assert.That(DefaultRoutes.Interface(root), Is.EqualTo("eth0"));
        Write("proc/net/ipv6_route", $"{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00000201       eth1\n");
        Assert.That(DefaultRoutes.Interface(root), Is.Null);
    }

    private void Write(string path, string text)
    {
        var file = Path.Combine(root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }
}
