using System.Net;
using System.Text.Json;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.GuestAgents;

namespace EdgeVirt.Node.Tests.VirtualMachines.GuestAgents;

/// <summary>What a guest may answer, the worst of it too.</summary>
public sealed class GuestAgentConnectionTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(300);

    [Test]
    public async Task Finds_the_beginning_behind_what_is_left_of_another_conversation()
    {
        using var guest = new FakeGuest(async guest =>
        {
            var id = await guest.SyncIdAsync();
            await guest.SayAsync("{\"return\": {\"half\": ", 0xFF, "{\"return\": 1}\n", 0xFF, $"{{\"return\": {id}}}\n");
            Assert.That(await guest.HearAsync(), Is.EqualTo("{\"execute\":\"guest-fsfreeze-freeze\"}"));
            await guest.SayAsync("{\"return\": 3}\n");
            await guest.HearAsync();
            await guest.SayAsync("{\"error\": {\"class\": \"GenericError\", \"desc\": \"not now\"}}\n");
        });
        await using var connection = await GuestAgentConnection.OpenAsync(guest.Path, TimeProvider.System, default);
        Assert.That((await connection.ExecuteAsync("guest-fsfreeze-freeze", TimeSpan.FromSeconds(5), default)).GetInt32(), Is.EqualTo(3));
        Assert.That((await Assert.ThrowsAsync<GuestAgentRefusedException>(() => connection.ExecuteAsync("guest-ping", TimeSpan.FromSeconds(5), default)))!.Message, Does.Contain("not now"));
        await guest.EndAsync();
    }

    [Test]
    public async Task Gives_up_on_one_that_says_nothing_or_hangs_up()
    {
        using var silent = new FakeGuest(guest => guest.HangAsync());
        var began = TimeProvider.System.GetTimestamp();
        await Assert.ThrowsAsync<GuestAgentException>(() => GuestAgentConnection.OpenAsync(silent.Path, TimeProvider.System, default));
        Assert.That(TimeProvider.System.GetElapsedTime(began), Is.LessThan(TimeSpan.FromSeconds(8)));
        using var gone = new FakeGuest(guest => guest.SyncIdAsync());
        await Assert.ThrowsAsync<GuestAgentException>(() => GuestAgentConnection.OpenAsync(gone.Path, TimeProvider.System, default));
        await Assert.ThrowsAsync<GuestAgentException>(() => GuestAgentConnection.OpenAsync(gone.Path + "-none", TimeProvider.System, default));
    }

    [TestCase("{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"disabled\"}}\n", true)]
    [TestCase("{\"return\": {}}\n", false)]
    [TestCase("nonsense\n", false)]
    [TestCase("", false)]
    public async Task What_has_no_answer_is_refused_or_taken_for_done(string said, bool isRefused)
    {
        using var guest = new FakeGuest(async guest =>
        {
            await guest.AgreeAsync();
            Assert.That(await guest.HearAsync(), Is.EqualTo("{\"execute\":\"guest-shutdown\"}"));
            await guest.SayAsync(said);
            await guest.HangAsync();
        });
        await using var connection = await GuestAgentConnection.OpenAsync(guest.Path, TimeProvider.System, default);
        if (isRefused)
        {
            Assert.That((await Assert.ThrowsAsync<GuestAgentException>(() => connection.TellAsync("guest-shutdown", default)))!.Message, Does.Contain("disabled"));
        }
        else
        {
            await connection.TellAsync("guest-shutdown", default);
        }
    }

    [TestCase("no JSON\n")]
    [TestCase("[1]\n")]
    [TestCase("7\n")]
    [TestCase("{}\n")]
    public async Task Takes_nothing_else_for_an_answer(string said)
    {
        using var guest = new FakeGuest(async guest =>
        {
            await guest.AgreeAsync();
            await guest.HearAsync();
            await guest.SayAsync(said);
            await guest.HangAsync();
        });
        await using var connection = await GuestAgentConnection.OpenAsync(guest.Path, TimeProvider.System, default);
        await Assert.CatchAsync<GuestAgentException>(() => connection.ExecuteAsync("guest-ping", Short, default));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Takes_no_more_than_so_many_bytes(bool isBeforeTheBeginning)
    {
        using var guest = new FakeGuest(async guest =>
        {
            if (!isBeforeTheBeginning)
            {
                await guest.AgreeAsync();
            }

            await guest.HearAsync();
            try
            {
                while (true)
                {
                    await guest.SayAsync(new string('x', 4096));
                }
            }
            catch (IOException)
            {
                // It was hung up on.
            }
        });
        var fault = (await Assert.ThrowsAsync<GuestAgentException>(async () =>
        {
            await using var connection = await GuestAgentConnection.OpenAsync(guest.Path, TimeProvider.System, default);
            await connection.ExecuteAsync("guest-ping", TimeSpan.FromSeconds(10), default);
        }))!;
        Assert.That(fault.Message, Does.Contain($"{GuestAgentConnection.MostBytes}"));
    }

    [Test]
    public void Addresses_are_taken_from_what_is_one_and_nothing_else()
    {
        using var answer = JsonDocument.Parse(
            """
            [{"name": "lo", "hardware-address": "00:00:00:00:00:00", "ip-addresses": [{"ip-address": "127.0.0.1"}]},
             {"name": "eth0", "hardware-address": "52:54:00:AA:BB:CC", "ip-addresses": [{"ip-address": "10.88.0.7", "prefix": 16}, {"ip-address": "fe80::1%2"}, {"ip-address": "; rm"}, {"ip-address": 7}, 8]},
             {"name": "eth1", "hardware-address": 3, "ip-addresses": [{"ip-address": "10.0.0.1"}]}, {"ip-addresses": []}, null, "x"]
            """);
        Assert.That(
            GuestAgent.AddressesIn(answer.RootElement).Select(found => $"{found.MacAddress} {found.Address}"), Is.EqualTo((string[])["52:54:00:aa:bb:cc 10.88.0.7", "52:54:00:aa:bb:cc fe80::1%2"]));
        using var many = JsonDocument.Parse($$"""[{"hardware-address": "52:54:00:AA:BB:CC", "ip-addresses": [{{string.Join(',', Enumerable.Range(0, 200).Select(i => $$"""{"ip-address": "10.0.0.{{i}}"}"""))}}]}]""");
        Assert.That(GuestAgent.AddressesIn(many.RootElement), Has.Count.EqualTo(64));
        using var other = JsonDocument.Parse("{}");
        Assert.That(GuestAgent.AddressesIn(other.RootElement), Is.Empty);
    }

    [Test]
    public void Of_its_cards_alone_in_an_order_of_their_own_and_not_without_end()
    {
        VmCard[] cards = [new("lan", "52:54:00:AA:bb:01", "10.88.0.2", []), new("field", "52:54:00:aa:bb:02", "10.88.0.3", [])];
        (string, IPAddress) Told(string mac, string address) => (mac, IPAddress.Parse(address));
        var told = GuestCards.Of(cards,
        [
            Told("52:54:00:aa:bb:01", "fd00::2"), Told("52:54:00:aa:bb:01", "10.88.0.2"), Told("52:54:00:aa:bb:01", "fe80::1"), Told("52:54:00:aa:bb:01", "10.88.0.2"),
            Told("02:42:00:00:00:01", "172.17.0.1"), .. Enumerable.Range(1, 40).Select(i => Told("52:54:00:aa:bb:02", $"10.9.0.{i}")),
        ]);
        Assert.That(told.Select(card => card.Name), Is.EqualTo((string[])["lan", "field"]));
        Assert.That(told[0].Addresses, Is.EqualTo((string[])["10.88.0.2", "fd00::2"]));
        Assert.That(told[1].Addresses, Has.Count.EqualTo(16));
        Assert.That(GuestCards.Of(cards, []).Select(card => card.Addresses), Is.All.Empty);
    }
}
