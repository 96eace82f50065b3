using EdgeVirt.Contracts.Boards;
using EdgeVirt.Linux;
using EdgeVirt.Node.Boards;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.Boards;

public sealed class CellularLinkTests
{
    private static readonly CellularSettings Settings = new() { Apn = "internet", User = "me", Password = "a,\"b\"", Pin = "1234" };

    private readonly List<string> ran = [];
    private readonly List<string> said = [];
    private TempDirectory directory = null!;
    private bool isConnected;
    private bool isRefused;
    private string method = "static";

    private string File => directory.Combine("70-edgevirt-cellular.network");

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        ran.Clear();
        said.Clear();
        (isConnected, isRefused, method) = (false, false, "static");
    }

    [TearDown]
    public void TearDown() => directory.Dispose();

    [Test]
    public async Task Connects_and_gives_the_interface_what_the_network_says()
    {
        var link = new CellularLink(Modem, directory.Path, said.Add);
        Assert.That(await link.CheckAsync(Settings, default), Is.True);
        Assert.That(ran, Does.Contain("mmcli --modem=any --simple-connect=apn=internet,user=\"me\",password='a,\"b\"',pin=\"1234\""));
        var text = await System.IO.File.ReadAllTextAsync(File);
        foreach (var line in new[] { "Name=wwan0\n", "Address=10.64.1.2/30\n", "Gateway=10.64.1.1\n", "DNS=10.0.0.1\n", "Metric=700\n" })
        {
            Assert.That(text, Does.Contain(line));
        }

        Assert.That(await link.CheckAsync(Settings, default), Is.True);
        Assert.That(ran.Count(line => line.Contains("simple-connect", StringComparison.Ordinal)), Is.EqualTo(1), "it is connected");
        Assert.That(ran.Count(line => line == "networkctl reload"), Is.EqualTo(1), "nothing changed");
        Assert.That(said, Is.EqualTo(new[] { "Connected by wwan0." }));

        isConnected = false;
        Assert.That(await link.CheckAsync(Settings, default), Is.True);
        Assert.That(ran.Count(line => line.Contains("simple-connect", StringComparison.Ordinal)), Is.EqualTo(2), "it was cut");
    }

    [Test]
    public async Task Asks_DHCP_where_the_modem_says_so()
    {
        method = "dhcp";
        await new CellularLink(Modem, directory.Path, said.Add).CheckAsync(Settings, default);
        Assert.That(await System.IO.File.ReadAllTextAsync(File), Does.Contain("DHCP=yes\n").And.Not.Contain("Address="));
    }

    [Test]
    public async Task A_network_that_refuses_is_said_once_and_no_secret_with_it()
    {
        isRefused = true;
        var link = new CellularLink(Modem, directory.Path, said.Add);
        Assert.That(await link.CheckAsync(Settings, default), Is.False);
        Assert.That(await link.CheckAsync(Settings, default), Is.False);
        Assert.That(said, Has.Count.EqualTo(1));
        Assert.That(said[0], Does.Contain("exit code 1").And.Not.Contain("1234").And.Not.Contain("a,"));
    }

    private Task<string> Modem(string file, IReadOnlyList<string> args, CancellationToken ct)
    {
        ran.Add($"{file} {string.Join(' ', args)}");
        switch (args[^1])
        {
            case var connect when connect.StartsWith("--simple-connect", StringComparison.Ordinal):
                isConnected = !isRefused;
                return isRefused ? Task.FromException<string>(new ProcessFailedException(file, "ended with exit code 1")) : Task.FromResult("");
            case "reload":
                return Task.FromResult("");
            case var _ when args[0] == "--modem=any":
                return Task.FromResult("""{"modem":{"generic":{"state":"STATE","bearers":["/org/freedesktop/ModemManager1/Bearer/0"]}}}""".Replace("STATE", isConnected ? "connected" : "registered", StringComparison.Ordinal));
            default:
                Assert.That(args[0], Is.EqualTo("--bearer=/org/freedesktop/ModemManager1/Bearer/0"));
                return Task.FromResult("""
                    {"bearer":{"ipv4-config":{"address":"ADDRESS","dns":["10.0.0.1"],"gateway":"10.64.1.1","method":"METHOD","prefix":"30"},
                     "ipv6-config":{"address":"--","dns":[],"gateway":"--","method":"--","prefix":"--"},"status":{"connected":"yes","interface":"wwan0"}}}
                    """.Replace("ADDRESS", method == "static" ? "10.64.1.2" : "--", StringComparison.Ordinal).Replace("METHOD", method, StringComparison.Ordinal));
        }
    }
}
