using EdgeVirt.Node.Boards;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.Boards;

public sealed class PreparationTests
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private PreparedBoard board = null!;

    [SetUp]
    public void SetUp() => board = new PreparedBoard();

    [TearDown]
    public void TearDown() => board.Dispose();

    [Test]
    public void The_token_moves_to_the_data_partition_and_is_blanked_where_it_lies()
    {
        var token = PreparedBoard.NewToken();
        board.WriteCard($$"""{ "hub": "hub.example.com:8444", "claimToken": "{{token}}", "nodeName": "oslo-1" }""");
        var before = File.ReadAllText(board.Paths.CardFile);

        Assert.That(board.Prepare(), Is.Empty);
        Assert.Multiple(() =>
        {
            Assert.That(File.ReadAllText(board.Paths.ClaimToken).Trim(), Is.EqualTo(token));
            Assert.That(File.GetUnixFileMode(board.Paths.ClaimToken), Is.EqualTo(OwnerOnly));
            Assert.That(File.ReadAllText(board.Paths.CardFile), Is.EqualTo(before.Replace(token, new string(' ', token.Length), StringComparison.Ordinal)));
            Assert.That(File.ReadAllText(board.Paths.Copy), Does.Contain("oslo-1").And.Not.Contain("evc1"));
            Assert.That(File.GetUnixFileMode(board.Paths.Copy), Is.EqualTo(OwnerOnly));
            Assert.That(board.HostName, Is.EqualTo("oslo-1"));
            Assert.That(board.Run("edgevirt/board/faults"), Is.Empty);
        });
    }

    [Test]
    public void The_agent_takes_hub_token_and_name_from_there_and_its_own_options_win()
    {
        board.WriteCard("""{ "hub": "hub.example.com:8444", "nodeName": "oslo-1" }""");
        board.Prepare();
        var environment = new Dictionary<string, string> { ["EDGEVIRT_BOARD_CONFIG"] = board.Paths.AgentOptions };
        var options = NodeOptionsReader.Read([], environment.GetValueOrDefault);
        Assert.That(
            (options.Hub, options.BoardHub, options.NodeName, options.ClaimTokenFile),
            Is.EqualTo(((string?)null, "hub.example.com:8444", "oslo-1", board.Paths.ClaimToken)));
        environment["EDGEVIRT_NODE_NAME"] = "bergen-1";
        Assert.That(NodeOptionsReader.Read([], environment.GetValueOrDefault).NodeName, Is.EqualTo("bergen-1"));
    }

    [Test]
    public void A_power_cut_after_any_step_changes_nothing_about_where_it_ends()
    {
        var json = $$"""
            { "hub": "hub.example.com:8444", "claimToken": "{{PreparedBoard.NewToken()}}", "nodeName": "oslo-1", "flashedAt": "2026-11-20T00:00:00Z",
              "wifi": { "ssid": "Ærlig", "passphrase": "not a secret", "country": "NO" }, "timeServers": ["10.0.0.1"] }
            """;
        board.WriteCard(json);
        List<string> steps = [];
        board.Prepare(steps.Add);
        board.CutPower();
        board.Prepare();
        var wanted = board.Everything();
        Assert.That(steps, Is.SupersetOf(new[] { "token written", "token kept", "settings kept", "token blanked", "clock", "host name", "files", "agent options", "faults" }));

        for (var cut = 1; cut <= steps.Count; cut++)
        {
            board.CutPower();
            Directory.Delete(board.Paths.DataDir, recursive: true);
            board.WriteCard(json);
            var done = 0;
            Assert.That(() => board.Prepare(_ => { if (++done == cut) { throw new PowerCutException(); } }), Throws.InstanceOf<PowerCutException>());
            board.CutPower();
            Assert.That(board.Prepare(), Is.Empty, $"after '{steps[cut - 1]}'");
            Assert.That(board.Everything(), Is.EqualTo(wanted), $"after '{steps[cut - 1]}'");
        }
    }

    // A card writes its blocks in an order of its own, and the power may go between two of them.
    [TestCase(true)]
    [TestCase(false)]
    public void Half_a_blanked_token_is_blanked_to_its_end(bool isFrontBlank)
    {
        var token = PreparedBoard.NewToken();
        board.WriteCard($$"""{ "claimToken": "{{token}}" }""");
        board.Prepare();
        var half = new string(' ', token.Length / 2);
        board.WriteCard($$"""{ "claimToken": "{{(isFrontBlank ? half + token[half.Length..] : token[..^half.Length] + half)}}" }""");
        Assert.Multiple(() =>
        {
            Assert.That(board.Prepare(), Is.Empty);
            Assert.That(CardFile.HasToken(File.ReadAllBytes(board.Paths.CardFile)), Is.False);
            Assert.That(File.ReadAllText(board.Paths.ClaimToken).Trim(), Is.EqualTo(token));
        });
    }

    [Test]
    public void A_token_that_was_used_is_not_taken_again()
    {
        var token = PreparedBoard.NewToken();
        board.WriteCard($$"""{ "claimToken": "{{token}}" }""");
        board.Prepare();
        File.Delete(board.Paths.ClaimToken);
        board.WriteCard($$"""{ "claimToken": "{{token}}" }""");
        board.Prepare();
        Assert.That(File.Exists(board.Paths.ClaimToken), Is.False);
        Assert.That(CardFile.HasToken(File.ReadAllBytes(board.Paths.CardFile)), Is.False);

        var next = PreparedBoard.NewToken();
        board.WriteCard($$"""{ "claimToken": "{{next}}" }""");
        board.Prepare();
        Assert.That(File.ReadAllText(board.Paths.ClaimToken).Trim(), Is.EqualTo(next));
    }

    [Test]
    public void What_is_good_of_bad_settings_is_used_and_no_fault_shows_a_secret()
    {
        board.WriteCard("""
            { // by hand
              "Hub": "https://hub.example.com/", "claimToken": "evc1.cut-off-by-mistake", "nodeName": "Oslo 1", "colour": "red",
              "ethernet": [{ "interface": "eth0", "addresses": ["192.0.2.10"] }, { "interface": "eth1", "addresses": ["198.51.100.7/24"], "gateway": "198.51.100.1" },
                           { "addresses": ["192.0.2.10/24"], "gateway": "203.0.113.1" }, { "adresses": [] }],
              "wifi": { "ssid": "field", "passphrase": "sesame", "country": "NO" },
              "cellular": { "apn": "internet", "pin": "12x4" },
              "timeServers": ["ntp.example.com", "not a name"], "flashedAt": "yesterday",
            }
            """);
        var faults = board.Prepare();
        Assert.Multiple(() =>
        {
            foreach (var start in new[]
            {
                "Hub 'https://hub.example.com/' is no host:port", "claimToken is no claim token", "nodeName 'Oslo 1' must be lower-case", "'colour' is no setting",
                "ethernet[0].addresses[0] '192.0.2.10' is no address", "ethernet[2].gateway 203.0.113.1 is in none", "ethernet[3] has the wrong form", "wifi.passphrase has 6 characters",
                "cellular.pin must be 4 to 8 digits", "timeServers[1] 'not a name' is no name", "flashedAt must be a moment",
            })
            {
                Assert.That(faults, Has.One.StartsWith(start), start);
            }

            Assert.That(faults, Has.Count.EqualTo(11));
            Assert.That(string.Concat(faults), Does.Not.Contain("sesame").And.Not.Contain("12x4").And.Not.Contain("cut-off"));
            Assert.That(board.Run("edgevirt/board/faults")!.Split('\n', StringSplitOptions.RemoveEmptyEntries), Is.EqualTo(faults));
            Assert.That(board.Run("systemd/network/10-edgevirt-static-0.network"), Does.Contain("Name=eth1").And.Contain("Address=198.51.100.7/24").And.Contain("Gateway=198.51.100.1"));
            Assert.That(board.Run("systemd/timesyncd.conf.d/50-edgevirt-time.conf"), Is.EqualTo("[Time]\nNTP=ntp.example.com\n"));
            Assert.That(board.Run("edgevirt/board/wpa_supplicant.conf"), Is.Null);
            Assert.That(File.Exists(board.Paths.ClaimToken), Is.False);
        });
    }

    [TestCase("")]
    [TestCase("{ \"hub\": ")]
    [TestCase("[]")]
    [TestCase(null)]
    public void Settings_that_are_gone_or_cut_off_are_those_that_were_kept(string? json)
    {
        board.WriteCard("""{ "nodeName": "oslo-1", "wifi": { "ssid": "field", "country": "NO" } }""");
        board.Prepare();
        board.CutPower();
        if (json is null)
        {
            Directory.Delete(board.Paths.Esp, recursive: true);
        }
        else
        {
            board.WriteCard(json);
        }

        Assert.That(board.Prepare(), Has.Count.EqualTo(string.IsNullOrEmpty(json) ? 0 : 1));
        Assert.That(board.HostName, Is.EqualTo("oslo-1"));
        Assert.That(board.Run("edgevirt/board/wpa_supplicant.conf"), Does.Contain("ssid=6669656c64").And.Contain("key_mgmt=NONE"));
    }

    [Test]
    public void A_new_card_without_settings_asks_DHCP_on_every_cable()
    {
        board.WriteCard("");
        Assert.That(board.Prepare(), Is.Empty);
        Assert.That(board.Run("systemd/network/80-edgevirt-wired.network"), Does.Contain("Type=ether").And.Contain("Kind=!*").And.Contain("DHCP=yes"));
    }

    [Test]
    public void Name_servers_alone_go_beside_what_DHCP_says()
    {
        board.WriteCard("""{ "ethernet": [{ "nameServers": ["192.0.2.53"] }] }""");
        Assert.That(board.Prepare(), Is.Empty);
        Assert.That(board.Run("systemd/network/20-edgevirt-static-0.network"), Does.Contain("Type=ether").And.Contain("DHCP=yes").And.Contain("DNS=192.0.2.53").And.Contain("UseHostname=no"));
    }

    [Test]
    public void A_wifi_that_is_taken_back_is_gone_and_a_passphrase_is_for_root_alone()
    {
        board.WriteCard("""{ "wifi": { "ssid": "field", "passphrase": "say \"friend\" #1", "country": "NO" } }""");
        board.Prepare();
        var path = Path.Combine(board.Paths.Prepared, "wpa_supplicant.conf");
        Assert.That(File.ReadAllText(path), Does.Contain("country=NO\n").And.Contain("  psk=\"say \"friend\" #1\"\n").And.Contain("SAE"));
        Assert.That(File.GetUnixFileMode(path), Is.EqualTo(OwnerOnly));
        board.WriteCard("""{ "cellular": { "apn": "internet", "pin": "1234" } }""");
        board.Prepare();
        Assert.That(File.GetUnixFileMode(board.Paths.Cellular), Is.EqualTo(OwnerOnly));
        board.WriteCard("{}");
        board.Prepare();
        Assert.That(File.Exists(board.Paths.Cellular), Is.False);
        Assert.That(File.Exists(path), Is.False);
        Assert.That(board.Run("systemd/network/80-edgevirt-wifi.network"), Is.Null);
    }

    [Test]
    public void Only_the_debug_image_lets_keys_in()
    {
        board.WriteCard("""{ "sshAuthorizedKeys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHkN1Yj3dAgjmnkRMDyy8RnSRXlrPUlmlPNkHRPQxmBh me@example"] }""");
        Assert.That(board.Prepare(), Has.One.StartsWith("sshAuthorizedKeys are ignored"));
        Assert.That(board.Run("edgevirt/board/authorized_keys"), Is.Null);
        board.WriteRoot("usr/lib/os-release", "IMAGE_ID=edgevirt-test\nVARIANT_ID=debug\n");
        Assert.That(board.Prepare(), Is.Empty);
        Assert.That(board.Run("edgevirt/board/authorized_keys"), Is.EqualTo("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHkN1Yj3dAgjmnkRMDyy8RnSRXlrPUlmlPNkHRPQxmBh me@example\n"));
    }

    [Test]
    public void The_clock_goes_to_the_latest_moment_that_has_passed_and_never_back()
    {
        board.WriteCard("{}");
        Assert.That(Prepared(), Is.EqualTo(PreparedBoard.Built));
        board.WriteCard("""{ "flashedAt": "2026-11-20T00:00:00Z" }""");
        Assert.That(Prepared(), Is.EqualTo(new DateTimeOffset(2026, 11, 20, 0, 0, 0, TimeSpan.Zero)));
        File.WriteAllText(board.Paths.Clock, "");
        File.SetLastWriteTimeUtc(board.Paths.Clock, new DateTime(2026, 11, 25, 0, 0, 0, DateTimeKind.Utc));
        Assert.That(Prepared(), Is.EqualTo(new DateTimeOffset(2026, 11, 25, 0, 0, 0, TimeSpan.Zero)));
        Directory.CreateDirectory(Path.Combine(board.Paths.DataDir, "identity"));
        File.WriteAllText(
            Path.Combine(board.Paths.DataDir, "identity", "identity.json"), """{ "node": "node-7", "hub": "h:1", "mqttPort": 1, "lastHubTime": "2026-11-26T00:00:00Z" }""");
        Assert.That(Prepared(), Is.EqualTo(new DateTimeOffset(2026, 11, 26, 0, 0, 0, TimeSpan.Zero)));
        Assert.That(board.HostName, Is.EqualTo("node-7"), "the name that the hub gave counts");

        var later = new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.Zero);
        board.Clock = later;
        board.Prepare();
        Assert.That(board.Clock, Is.EqualTo(later));

        DateTimeOffset Prepared()
        {
            board.Clock = DateTimeOffset.UnixEpoch;
            board.Prepare();
            return board.Clock;
        }
    }

    [Test]
    public void A_card_from_a_machine_with_a_wrong_clock_does_not_carry_the_board_away()
    {
        board.WriteCard("""{ "flashedAt": "2099-01-01T00:00:00Z" }""");
        Assert.That(board.Prepare(), Has.One.StartsWith("flashedAt is 2099"));
        Assert.That(board.Clock, Is.EqualTo(PreparedBoard.Built));
    }

    [Test]
    public void A_data_partition_that_takes_nothing_stops_neither_the_boot_nor_loses_the_token()
    {
        var token = PreparedBoard.NewToken();
        board.WriteCard($$"""{ "claimToken": "{{token}}", "nodeName": "oslo-1" }""");
        Directory.CreateDirectory(Path.GetDirectoryName(board.Paths.DataDir)!);
        File.WriteAllText(board.Paths.DataDir, "a file where a directory belongs");
        Assert.That(board.Prepare(), Has.Some.StartsWith("token kept: "));
        Assert.Multiple(() =>
        {
            Assert.That(File.ReadAllText(board.Paths.CardFile), Does.Contain(token), "it is nowhere else");
            Assert.That(board.HostName, Is.EqualTo("oslo-1"));
            Assert.That(board.Run("systemd/network/80-edgevirt-wired.network"), Is.Not.Null);
        });
    }

    [Test]
    public void The_program_names_the_machine_and_ends_well_whatever_the_settings_say()
    {
        board.WriteCard("""{ "nodeName": "oslo-1", "hub": "a b" }""");
        var agent = Path.Combine(AppContext.BaseDirectory.Replace("/tests/EdgeVirt.Node.Tests/", "/src/EdgeVirt.Node/", StringComparison.Ordinal), "edgevirt-agent");
        var output = Command.Run(
            "unshare", "--uts", "sh", "-c", "\"$@\" && uname -n", "sh",
            agent, "prepare", "--esp", board.Paths.Esp, "--data-dir", board.Paths.DataDir, "--run", board.Paths.Run, "--root", board.Paths.Root);
        Assert.That(output.Trim(), Is.EqualTo("oslo-1"));
        Assert.That(board.Run("edgevirt/board/faults"), Does.StartWith("hub 'a b' is no host:port"));
        Assert.That(Environment.MachineName, Is.Not.EqualTo("oslo-1"));

        var (exitCode, _, error) = Command.Try(agent, ["prepare", "--card", "x"]);
        Assert.That((exitCode, error), Is.EqualTo((2, "edgevirt-agent: '--card' is no option here. Options: --esp, --data-dir, --run, --root.\n")));
    }

    private sealed class PowerCutException : Exception;
}
