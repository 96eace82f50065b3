using System.Text.Json;
using EdgeVirt.Cli.Flash.Cards;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Boards;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Tests.Flash.Cards;

/// <summary>From options to what is written on each card.</summary>
public sealed class CardPlanTests
{
    private const string Key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@laptop";
    private CardRun run = null!;

    [SetUp]
    public void Start() => run = new CardRun();

    [TearDown]
    public void Stop() => run.Dispose();

    [Test]
    public async Task Every_option_reaches_the_card()
    {
        var token = CardRun.Token("line-1");
        using var plan = await run.ReadAsync(
            1, "--hub", "hub:8444", "--claim-token-file", run.File("token", token + "\n"), "--node-name", "oslo-17", "--wifi-ssid", "shed", "--wifi-country", "NO",
            "--wifi-passphrase-file", run.File("pass", "correct horse \r\n"), "--apn", "internet", "--apn-user", "u", "--apn-password-file", run.File("apn", "p\n"),
            "--sim-pin-file", run.File("pin", "0042\n"), "--address", "192.168.7.20/24", "--address", "2001:db8::20/64", "--gateway", "192.168.7.1", "--dns", "192.168.7.1",
            "--interface", "eth0", "--time-server", "ntp.example.com", "--ssh-key", run.File("id.pub", $"# mine\n{Key}\n"));
        var card = await plan.IssueAsync(1, CancellationToken.None);
        Assert.That(card.Claim, Is.EqualTo("line-1"));
        var settings = BoardSettingsFile.Read(BoardSettingsFile.Write(card.Settings)).Value!;
        Assert.That((settings.Hub, settings.ClaimToken, settings.NodeName, settings.FlashedAt), Is.EqualTo(("hub:8444", token, "oslo-17", CliRun.Now)));
        Assert.That(settings.Wifi, Is.EqualTo(new WifiSettings { Ssid = "shed", Country = "NO", Passphrase = "correct horse " }), "a space at the end belongs to it");
        Assert.That(settings.Cellular, Is.EqualTo(new CellularSettings { Apn = "internet", User = "u", Password = "p", Pin = "0042" }));
        var cable = settings.Ethernet!.Single();
        Assert.That((cable.Interface, string.Join(' ', cable.Addresses), cable.Gateway, cable.NameServers![0]), Is.EqualTo(("eth0", "192.168.7.20/24 2001:db8::20/64", "192.168.7.1", "192.168.7.1")));
        Assert.That((settings.TimeServers![0], settings.SshAuthorizedKeys![0]), Is.EqualTo(("ntp.example.com", Key)));
    }

    [Test]
    public async Task Cards_get_numbers()
    {
        using var plan = await run.ReadAsync(3, "--no-claim", "--node-name", "oslo-{nn}", "--address", "192.168.7.{n}/24", "--first-card", "9");
        Assert.That(Enumerable.Range(9, 3).Select(card => $"{plan.For(card).NodeName} {plan.For(card).Ethernet![0].Addresses[0]}"), Is.EqualTo(new[]
        {
            "oslo-09 192.168.7.9/24", "oslo-10 192.168.7.10/24", "oslo-11 192.168.7.11/24",
        }));
        Assert.That((await plan.IssueAsync(10, CancellationToken.None)).Claim, Is.Null);
    }

    [Test]
    public async Task Settings_of_a_file_are_the_base_and_options_go_before_them()
    {
        var file = run.File("base.json", $$"""
            { "hub": "old:8444", "nodeName": "a", "claimToken": "{{CardRun.Token("base")}}", "timeServers": ["t"],
              "wifi": { "ssid": "shed", "country": "NO", "passphrase": "correct horse" },
              "ethernet": [{ "interface": "eth0", "addresses": ["10.0.0.2/8"] }, { "interface": "eth1", "addresses": ["10.1.0.2/16"] }] }
            """);
        using var plan = await run.ReadAsync(1, "--settings", file, "--hub", "new:8444", "--wifi-country", "SE", "--interface", "eth1", "--address", "10.2.0.2/16");
        var settings = (await plan.IssueAsync(1, CancellationToken.None)).Settings;
        Assert.That((settings.Hub, settings.NodeName, settings.TimeServers![0]), Is.EqualTo(("new:8444", "a", "t")));
        Assert.That(settings.Wifi, Is.EqualTo(new WifiSettings { Ssid = "shed", Country = "SE", Passphrase = "correct horse" }));
        Assert.That(settings.Ethernet!.Select(one => one.Addresses[0]), Is.EqualTo(new[] { "10.0.0.2/8", "10.2.0.2/16" }));
        Assert.That(ClaimToken.TryParse(settings.ClaimToken, out var token) ? token.Claim : null, Is.EqualTo("base"));

        using var other = await run.ReadAsync(1, "--settings", file, "--wifi-ssid", "barn", "--no-claim");
        Assert.That(other.For(1).Wifi!.Passphrase, Is.Null, "a passphrase belongs to one network");
        Assert.That((await other.IssueAsync(1, CancellationToken.None)).Settings.ClaimToken, Is.Null);
    }

    [Test]
    public async Task A_secret_may_come_from_standard_input_but_only_one()
    {
        run.Input = CardRun.Token("line-1") + "\n";
        using var plan = await run.ReadAsync(1, "--hub", "hub:8444", "--claim-token-file", "-");
        Assert.That((await plan.IssueAsync(1, CancellationToken.None)).Claim, Is.EqualTo("line-1"));
        Assert.That((await run.RefusedAsync(1, "--hub", "hub:8444", "--claim-token-file", "-", "--apn", "a", "--sim-pin-file", "-")).Message, Does.Contain("both want standard input"));
    }

    [Test]
    public async Task What_is_wrong_is_said_before_anything_is_written()
    {
        (string Said, int Cards, string[] Args)[] cases =
        [
            ("cannot all be 'oslo'", 2, ["--node-name", "oslo"]),
            ("cannot all have the address 10.0.0.2/8", 2, ["--address", "10.0.0.2/8"]),
            ("nodeName 'Oslo'", 1, ["--node-name", "Oslo"]),
            ("settings of card 255 are not valid: ethernet[0].addresses[0] 192.168.7.255/24", 3, ["--address", "192.168.7.{n}/24", "--first-card", "253"]),
            ("which wireless network", 1, ["--wifi-country", "NO"]),
            ("in which country", 1, ["--wifi-ssid", "shed"]),
            ("which cellular network", 1, ["--apn-user", "u"]),
            ("--interface alone", 1, ["--interface", "eth0"]),
            ("hub 'hub' is no host:port", 1, ["--hub", "hub"]),
            ("there is no file", 1, ["--wifi-ssid", "s", "--wifi-country", "NO", "--wifi-passphrase-file", "/nowhere"]),
            ("must hold one line", 1, ["--apn", "a", "--sim-pin-file", run.File("two", "1234\n5678\n")]),
            ("holds a private key", 1, ["--ssh-key", run.File("id", "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n")]),
            ("holds no public keys", 1, ["--ssh-key", run.File("no", "hello\n")]),
            ("that is no claim token", 1, ["--hub", "h:1", "--claim-token-file", run.File("bad", "evc1.a.b.c")]),
            ("which hub is the claim token for", 1, ["--claim-token-file", run.File("token", CardRun.Token("a"))]),
            ("where are the claim tokens", 1, ["--no-claim", "--tokens", "x"]),
            ("there is no batch", 1, ["--tokens", "/nowhere"]),
            ("--first-card -1", 1, ["--first-card", "-1"]),
        ];
        foreach (var (said, cards, args) in cases)
        {
            Assert.That((await run.RefusedAsync(cards, args)).Message, Does.Contain(said));
        }

        var fault = await run.RefusedAsync(1, "--settings", run.File("base.json", "{\"nodeNam\": \"a\"}"));
        Assert.That(fault.Errors.Single().Reason, Does.Contain("did you mean 'nodeName'?"));
    }

    [Test]
    public async Task No_message_has_a_secret_in_it()
    {
        var fault = await run.RefusedAsync(1, "--hub", "h:1", "--claim-token-file", run.File("token", "evc1.a.8472983"), "--apn", "a", "--sim-pin-file", run.File("pin", "8472983847"));
        Assert.That(fault.Message + fault.Hint, Does.Not.Contain("8472983"));
        fault = await run.RefusedAsync(1, "--no-claim", "--apn", "a", "--sim-pin-file", run.File("pin", "8472983847"), "--wifi-ssid", "s", "--wifi-country", "NO", "--wifi-passphrase-file", run.File("pass", "8472983"));
        Assert.That(fault.Message, Does.Contain("cellular.pin").And.Contain("wifi.passphrase").And.Not.Contain("8472983"));
    }

    [Test]
    public async Task A_batch_gives_each_card_a_token_of_its_own_and_the_hub()
    {
        var batch = run.Batch(2);
        using var plan = await run.ReadAsync(2, "--tokens", batch, "--node-name", "oslo-{n}");
        var cards = new[] { await plan.IssueAsync(1, CancellationToken.None), await plan.IssueAsync(2, CancellationToken.None) };
        Assert.That(cards.Select(card => $"{card.Claim} {card.Settings.Hub}"), Is.EqualTo(new[] { "line-1 hub.example.com:8444", "line-2 hub.example.com:8444" }));
        Assert.That(cards.All(card => ClaimToken.TryParse(card.Settings.ClaimToken, out var token) && token.Claim == card.Claim));
        Assert.That((await run.RefusedAsync(1, "--tokens", batch)).Message, Does.Contain("has no token for 1 card: of 2, 2 were used"));
    }

    [Test]
    public async Task Who_is_logged_in_gets_a_claim_per_card_when_it_is_due()
    {
        await using var hub = await FakeHub.StartAsync();
        using var logged = new CardRun(hub);
        List<(string Path, BoardClaimSpec Spec)> made = [];
        foreach (var line in (string[])["PUT", "POST"])
        {
            hub.AnswerAny(line, async context =>
            {
                var path = context.Request.Path.Value!;
                var body = hub.Requests.Last().Body;
                var name = path.Split('/')[4];
                if (line == "PUT")
                {
                    var claim = JsonSerializer.Deserialize(body, ContractsJson.Default.Resource)!;
                    made.Add((path, claim.Spec.Deserialize(ContractsJson.Default.BoardClaimSpec)!));
                    await context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(claim, ContractsJson.Default.Resource));
                }
                else
                {
                    var issued = new Contracts.Api.ClaimTokenIssued(CardRun.Token(name), CliRun.Now.AddDays(1));
                    await context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(issued, ContractsJson.Default.ClaimTokenIssued));
                }
            });
        }

        using var plan = await logged.ReadAsync(2, "--node-name", "oslo-{n}", "--claim-ttl", "7d");
        Assert.That(made, Is.Empty, "nothing is made before a card is due");
        var (first, second) = (await plan.IssueAsync(1, CancellationToken.None), await plan.IssueAsync(2, CancellationToken.None));
        Assert.That(first.Claim, Does.Match("^oslo-1-[0-9a-f]{6}$"));
        Assert.That(second.Claim, Does.StartWith("oslo-2-"));
        Assert.That(made.Select(one => one.Path), Is.EqualTo(new[] { $"/api/v1/boardclaims/{first.Claim}", $"/api/v1/boardclaims/{second.Claim}" }));
        Assert.That(made.Select(one => (one.Spec.MaxUses, one.Spec.ExpiresAt)), Has.All.EqualTo((1, CliRun.Now.AddDays(7))));
        Assert.That(first.Settings.Hub, Is.EqualTo("127.0.0.1:8444"));
        Assert.That(ClaimToken.TryParse(first.Settings.ClaimToken, out var token) && token.Claim == first.Claim);
    }

    [Test]
    public async Task A_card_is_written_and_read_back_and_a_foreign_one_costs_no_token()
    {
        var batch = run.Batch(2);
        using var plan = await run.ReadAsync(2, "--tokens", batch, "--node-name", "oslo-{n}");
        var writer = new CardWriter(plan, CancellationToken.None);
        using var foreign = new MemoryStream(new byte[4 << 20]);
        Assert.That(() => writer.Write(foreign, 0), Throws.TypeOf<CardLayoutException>());
        Assert.That(File.ReadAllText(batch), Does.Not.Contain("usedAt"));

        using var image = new CardImage().WithSettings();
        using (var card = image.Open())
        {
            writer.Write(card, 1);
        }

        var settings = BoardSettingsFile.Read(image.ReadBack()).Value!;
        Assert.That((settings.NodeName, settings.Hub), Is.EqualTo(("oslo-2", "hub.example.com:8444")));
        Assert.That(writer.Written.Single().Value.Claim, Is.EqualTo("line-1"), "a token goes to who comes first");
        using (var card = image.Open())
        {
            writer.Write(card, 0);
            Assert.That(() => writer.Write(card, 0), Throws.TypeOf<IOException>().With.Message.Contains("has no token left"));
        }
    }
}
