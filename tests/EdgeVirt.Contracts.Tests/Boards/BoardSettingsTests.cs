using System.Text;
using EdgeVirt.Contracts.Boards;

namespace EdgeVirt.Contracts.Tests.Boards;

/// <summary>What a board is told on its card: how it is written, read and checked.</summary>
public sealed class BoardSettingsTests
{
    private const string Key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@laptop";

    private static readonly BoardSettings Full = new()
    {
        Hub = "hub.example.com:8444",
        ClaimToken = ClaimToken.Create("line-1", "authority"u8).Reveal(),
        NodeName = "oslo-17",
        FlashedAt = new DateTimeOffset(2026, 11, 27, 14, 0, 0, TimeSpan.Zero),
        Ethernet =
        [
            new EthernetSettings { Interface = "en*", Addresses = ["192.168.7.20/24", "2001:db8::20/64"], Gateway = "192.168.7.1", NameServers = ["192.168.7.1", "2001:db8::1"] },
            new EthernetSettings { Interface = "eth1", NameServers = ["10.0.0.1"] },
        ],
        Wifi = new WifiSettings { Ssid = "Blåbær <3", Passphrase = "correct horse", Country = "NO" },
        Cellular = new CellularSettings { Apn = "internet.example", User = "u", Password = "p", Pin = "0042" },
        TimeServers = ["ntp.example.com", "192.168.7.1"],
        SshAuthorizedKeys = [Key],
    };

    [Test]
    public void What_is_written_fills_the_file_and_reads_back()
    {
        var file = BoardSettingsFile.Write(Full);
        Assert.That(file, Has.Length.EqualTo(BoardSettings.FileBytes));
        var read = BoardSettingsFile.Read(file);
        Assert.That(read.Faults, Is.Empty);
        Assert.That(BoardSettingsFile.Write(read.Value!), Is.EqualTo(file), "nothing was lost");
        Assert.That(read.Value!.Wifi, Is.EqualTo(Full.Wifi));
        var text = Encoding.UTF8.GetString(file);
        Assert.That(text, Does.StartWith("{\n  \"hub\": \"hub.example.com:8444\",").And.Contain("Blåbær <3"), "people can read it");
        Assert.That(text.Split('\n').Max(line => line.Length), Is.LessThanOrEqualTo(220), "and its filling is lines, not one of 16 KiB");
    }

    [Test]
    public void A_file_that_nobody_wrote_to_says_nothing()
    {
        Assert.That(BoardSettingsFile.Blank(), Has.Length.EqualTo(BoardSettings.FileBytes).And.All.AnyOf((byte)' ', (byte)'\n'));
        Assert.That(BoardSettingsFile.Read(BoardSettingsFile.Blank()).Value, Is.EqualTo(new BoardSettings()));
        Assert.That(BoardSettingsFile.Read(new byte[100]).Value, Is.EqualTo(new BoardSettings()), "zeros are what a power cut leaves");
        Assert.That(BoardSettingsFile.Read([]).Value, Is.EqualTo(new BoardSettings()));
    }

    [TestCase("{\"nodeName\":\"a\"}")]
    [TestCase("\uFEFF{\r\n  \"nodeName\": \"a\"\r\n}\r\n")]
    [TestCase("{\"nodeName\":\"a\"}\0\0\0")]
    [TestCase("\n\n  {\"nodeName\":\"a\",\"wifi\":null}   \n")]
    public void What_an_editor_makes_of_the_file_is_read(string text) =>
        Assert.That(BoardSettingsFile.Read(Encoding.UTF8.GetBytes(text)).Value?.NodeName, Is.EqualTo("a"));

    [TestCase("{\"nodeNam\":\"a\"}", 1, "nodeNam", "did you mean 'nodeName'?")]
    [TestCase("{\n\"wifi\": {\n\"ssid\": \"x\", \"country\": \"NO\",\n\"key\": \"y\"}}", 4, "wifi.key", "is not a field here")]
    [TestCase("{\n\n\"wifi\": {\"ssid\": \"x\"}}", 3, "wifi.country", "is required")]
    [TestCase("{\"hub\":\"h:1\",\n\"hub\":\"h:2\"}", 2, "hub", "is there twice")]
    [TestCase("{\"nodeName\": 5}", 1, "nodeName", "must be text, is the number 5; put it in quotes")]
    [TestCase("{\"timeServers\": \"a\"}", 1, "timeServers", "must be a list")]
    [TestCase("{\n\"hub\": \"h:1\"", 2, "", "is no JSON")]
    [TestCase("{\"hub\": \"h:1\"}\n{}", 2, "", "is no JSON")]
    [TestCase("hub: h:1", 1, "", "is no JSON")]
    [TestCase("[]", 1, "", "must be a mapping")]
    [TestCase("{\"hub\":\"\uFFFE", 1, "", "is no JSON")]
    public void What_is_wrong_is_named_with_its_line(string text, int line, string field, string reason)
    {
        var read = BoardSettingsFile.Read(Encoding.UTF8.GetBytes(text));
        Assert.That(read.Value, Is.Null);
        Assert.That((read.Errors[0].Line, read.Errors[0].Field), Is.EqualTo((line, field)), read.Faults);
        Assert.That(read.Errors[0].Reason, Does.Contain(reason));
    }

    [TestCase("{\"claimToken\": 8472983}")]
    [TestCase("{\"claimToken\": \"evc1.a.8472983.b\"}")]
    [TestCase("{\"cellular\": {\"apn\":\"a\",\"pin\":8472983}}")]
    [TestCase("{\"cellular\": {\"apn\":\"a\",\"pin\":\"8472983x\"}}")]
    [TestCase("{\"cellular\": {\"apn\":\"a\",\"user\":\"u\",\"password\":[\"8472983\"]}}")]
    [TestCase("{\"wifi\": {\"ssid\":\"a\",\"country\":\"NO\",\"passphrase\":\"8472983\"}}")]
    [TestCase("{\"wifi\": {\"ssid\":\"a\",\"country\":\"NO\",\"passphrase\":8472983}}")]
    [TestCase("{\"sshAuthorizedKeys\": [\"8472983\"]}")]
    public void No_fault_repeats_a_secret(string text)
    {
        var read = BoardSettingsFile.Read(Encoding.UTF8.GetBytes(text));
        Assert.That(read.Value, Is.Null);
        Assert.That(read.Faults, Is.Not.Empty.And.Not.Contain("8472983"));
    }

    [Test]
    public void What_does_not_fit_is_refused()
    {
        var big = new BoardSettings { SshAuthorizedKeys = [.. Enumerable.Range(0, 16).Select(n => Key + new string('x', 1000 + n))] };
        var v = new Contracts.Resources.Validation();
        BoardSettingsValidation.Validate(big, v);
        Assert.That(v.Errors.Single().Reason, Does.Contain("a card has room for 16384"));
        Assert.That(() => BoardSettingsFile.Write(big), Throws.ArgumentException);
        Assert.That(BoardSettingsFile.Read(new byte[BoardSettings.FileBytes + 1]).Value, Is.Null);
    }

    private static IEnumerable<TestCaseData> Wrong()
    {
        (BoardSettings Settings, string Field)[] cases =
        [
            (new() { Hub = "hub.example.com" }, "hub"),
            (new() { Hub = "hub:0" }, "hub"),
            (new() { Hub = "hub:65536" }, "hub"),
            (new() { Hub = "https://hub:8444" }, "hub"),
            (new() { Hub = "2001:db8::1:8444" }, "hub"),
            (new() { Hub = "[192.0.2.1]:8444" }, "hub"),
            (new() { Hub = "300.1.1.1:8444" }, "hub"),
            (new() { Hub = "hub.example.com:8444/x" }, "hub"),
            (new() { NodeName = "Oslo" }, "nodeName"),
            (new() { NodeName = new string('a', 64) }, "nodeName"),
            (new() { FlashedAt = DateTimeOffset.UnixEpoch }, "flashedAt"),
            (new() { FlashedAt = DateTimeOffset.MaxValue }, "flashedAt"),
            (new() { TimeServers = ["no name"] }, "timeServers[0]"),
            (new() { TimeServers = ["a", "1.2.3"] }, "timeServers[1]"),
            (new() { SshAuthorizedKeys = ["ssh-ed25519 AAAAB3NzaC1yc2EAAAA="] }, "sshAuthorizedKeys[0]"),
            (new() { SshAuthorizedKeys = ["command=\"x\" " + Key] }, "sshAuthorizedKeys[0]"),
            (new() { SshAuthorizedKeys = [Key + "\n" + Key] }, "sshAuthorizedKeys[0]"),
            (Ethernet(new() { Addresses = ["192.168.7.20"] }), "ethernet[0].addresses[0]"),
            (Ethernet(new() { Addresses = ["192.168.7/24"] }), "ethernet[0].addresses[0]"),
            (Ethernet(new() { Addresses = ["192.168.7.20/33"] }), "ethernet[0].addresses[0]"),
            (Ethernet(new() { Addresses = ["192.168.7.0/24"] }), "ethernet[0].addresses[0]"),
            (Ethernet(new() { Addresses = ["192.168.7.255/24"] }), "ethernet[0].addresses[0]"),
            (Ethernet(new() { Addresses = ["127.0.0.1/8"] }), "ethernet[0].addresses[0]"),
            (Ethernet(new() { Addresses = ["fe80::1%eth0/64"] }), "ethernet[0].addresses[0]"),
            (Ethernet(new() { Addresses = ["10.0.0.1/8", "10.0.0.1/8"] }), "ethernet[0].addresses[1]"),
            (Ethernet(new() { Addresses = ["192.168.7.20/24"], Gateway = "192.168.8.1" }), "ethernet[0].gateway"),
            (Ethernet(new() { Addresses = ["192.168.7.20/24"], Gateway = "192.168.7.20" }), "ethernet[0].gateway"),
            (Ethernet(new() { Gateway = "192.168.8.1" }), "ethernet[0].gateway"),
            (Ethernet(new() { Addresses = ["192.168.7.20/24"], Gateway = "router" }), "ethernet[0].gateway"),
            (Ethernet(new() { NameServers = ["dns.example"] }), "ethernet[0].nameServers[0]"),
            (Ethernet(new()), "ethernet[0]"),
            (Ethernet(new() { Interface = "eth0 eth1", NameServers = ["10.0.0.1"] }), "ethernet[0].interface"),
            (new() { Ethernet = [new() { NameServers = ["10.0.0.1"] }, new() { NameServers = ["10.0.0.2"] }] }, "ethernet[1].interface"),
            (new() { Wifi = new() { Ssid = "", Country = "NO" } }, "wifi.ssid"),
            (new() { Wifi = new() { Ssid = new string('å', 17), Country = "NO" } }, "wifi.ssid"),
            (new() { Wifi = new() { Ssid = "a\nb", Country = "NO" } }, "wifi.ssid"),
            (new() { Wifi = new() { Ssid = "a", Country = "no" } }, "wifi.country"),
            (new() { Wifi = new() { Ssid = "a", Country = "NO", Passphrase = "1234567" } }, "wifi.passphrase"),
            (new() { Wifi = new() { Ssid = "a", Country = "NO", Passphrase = "pässword" } }, "wifi.passphrase"),
            (new() { Wifi = new() { Ssid = "a", Country = "NO", Passphrase = new string('g', 64) } }, "wifi.passphrase"),
            (new() { Cellular = new() { Apn = "a b" } }, "cellular.apn"),
            (new() { Cellular = new() { Apn = "a", Pin = "123" } }, "cellular.pin"),
            (new() { Cellular = new() { Apn = "a", Password = "p" } }, "cellular.password"),
        ];
        return cases.Select((one, n) => new TestCaseData(one.Settings, one.Field) { TestName = $"Refuses_{n:00}_{one.Field}" });

        static BoardSettings Ethernet(EthernetSettings one) => new() { Ethernet = [one] };
    }

    [TestCaseSource(nameof(Wrong))]
    public void Refuses(BoardSettings settings, string field)
    {
        var v = new Contracts.Resources.Validation();
        BoardSettingsValidation.Validate(settings, v);
        Assert.That(v.Errors.Select(error => error.Field), Is.EqualTo(new[] { field }));
    }

    [TestCase("hub:8444")]
    [TestCase("192.0.2.1:8444")]
    [TestCase("[2001:db8::1]:8444")]
    public void Takes_a_hub(string hub) => Assert.That(BoardSettingsValidation.IsHostAndPort(hub), Is.True);

    [Test]
    public void Takes_addresses_at_the_edges()
    {
        EthernetSettings[] right =
        [
            new() { Addresses = ["10.0.0.0/31"], Gateway = "10.0.0.1" },
            new() { Addresses = ["10.0.0.7/32"] },
            new() { Addresses = ["2001:db8::/64"], Gateway = "fe80::1" },
            new() { Addresses = ["192.168.7.20/23"], Gateway = "192.168.6.1" },
        ];
        foreach (var one in right)
        {
            var v = new Contracts.Resources.Validation();
            BoardSettingsValidation.Validate(new BoardSettings { Ethernet = [one] }, v);
            Assert.That(v.Errors, Is.Empty, one.Addresses[0]);
        }
    }
}
