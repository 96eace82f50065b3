using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Boards;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Boards;
using EdgeVirt.Node.Hub;
using EdgeVirt.Node.Tests.Control;

namespace EdgeVirt.Node.Tests.Hub;

public sealed class RehomeTests
{
    private string directory = null!;
    private FakeHub first = null!;
    private FakeHub second = null!;

    [SetUp]
    public async Task SetUp()
    {
        directory = Directory.CreateTempSubdirectory("edgevirt-hub-").FullName;
        first = await FakeHub.StartAsync();
        second = await FakeHub.StartAsync();
        first.Offer = (57, Document("old"));
    }

    [TearDown]
    public async Task TearDown()
    {
        await first.DisposeAsync();
        await second.DisposeAsync();
        Directory.Delete(directory, recursive: true);
    }

    [TestCase(1UL)]
    [TestCase(57UL)]
    [TestCase(3000UL)]
    public async Task Runs_what_the_hub_before_wanted_until_the_new_hub_has_something_for_it(ulong revision)
    {
        await using (var node = await EnrolledAsync())
        {
            var (_, close) = await LocalCall.AskAsync(node, Rehome(second, second.NewToken().Reveal()));
            Assert.That(close.Reason, Is.EqualTo(CloseReason.Done), close.Message);
            Assert.That(close.Message, Is.EqualTo(
                $"Moved from {first.Address} to {second.Address}, as node-1. What the hub before wanted runs on until the new hub has something for the node to run."));

            var hello = await second.Hellos.Reader.ReadAsync(Eventually.Token());
            Assert.That(hello.Revision, Is.EqualTo(57), "it says what it has, and of which digest");
            await Eventually.HoldsAsync(() => node.Get<MqttLink>().IsConnected && second.Clients.Contains("node-1"), "the link to the new hub");
            Assert.That(await WorkloadsAsync(node), Is.EqualTo(new[] { "old" }));

            second.Offer = (revision, Document("new"));
            await second.PokeAsync("node-1", PokeReason.DesiredState);
            var verdict = await second.Verdicts.Reader.ReadAsync(Eventually.Token());
            Assert.That((verdict.Accepted, verdict.Revision), Is.EqualTo((true, revision)));
            Assert.That(await WorkloadsAsync(node), Is.EqualTo(new[] { "new" }));
        }

        // With the option that still names the hub before.
        await using var again = new NodeFixture(first, directory: directory);
        Assert.That(again.Identities.Current!.Hub.ToString(), Is.EqualTo(second.Address));
        Assert.That(again.Identities.Current.Authority.RawData, Is.EqualTo(second.Authority.RawData));
        Assert.That((await again.Store.ReadDesiredAsync(default)).Revision, Is.EqualTo(revision), "also after a restart the newest counts, not the highest");
        Assert.That(await WorkloadsAsync(again), Is.EqualTo(new[] { "new" }));
        await again.StartAsync();
        await Eventually.HoldsAsync(() => again.Get<MqttLink>().IsConnected, "the link to the new hub");
    }

    [Test]
    public async Task A_new_hub_that_has_nothing_for_the_node_yet_ends_nothing()
    {
        second.Offer = (1, Document());
        await using (var node = await EnrolledAsync())
        {
            await LocalCall.AskAsync(node, Rehome(second, second.NewToken().Reveal()));
            Assert.That((await second.Verdicts.Reader.ReadAsync(Eventually.Token())).Accepted, Is.True);
            Assert.That(await WorkloadsAsync(node), Is.EqualTo(new[] { "old" }));
            await Eventually.HoldsAsync(
                () => node.Conditions.Read().Any(condition => condition is { Type: ConditionTypes.DesiredStateAccepted, Reason: DesiredStateReasons.HubBeforeRunsOn }), "the condition");
        }

        await using var again = new NodeFixture(first, directory: directory);
        await again.StartAsync();
        Assert.That((await second.Verdicts.Reader.ReadAsync(Eventually.Token())).Accepted, Is.True);
        Assert.That(await WorkloadsAsync(again), Is.EqualTo(new[] { "old" }), "after a restart too");

        await OfferAsync(2, Document("new"));
        Assert.That(await WorkloadsAsync(again), Is.EqualTo(new[] { "new" }));
        await OfferAsync(3, Document());
        Assert.That(await WorkloadsAsync(again), Is.Empty, "now it is the hub's word");

        async Task OfferAsync(ulong revision, byte[] document)
        {
            second.Offer = (revision, document);
            await Eventually.HoldsAsync(() => again.Get<MqttLink>().IsConnected && second.Clients.Contains("node-1"), "the link to the new hub");
            await second.PokeAsync("node-1", PokeReason.DesiredState);
            Verdict verdict;
            do
            {
                verdict = await second.Verdicts.Reader.ReadAsync(Eventually.Token());
            }
            while (verdict.Revision != revision);
        }
    }

    [Test]
    public async Task Drops_at_once_what_the_hub_before_wanted_if_asked_to()
    {
        await using var node = await EnrolledAsync();
        var (_, close) = await LocalCall.AskAsync(node, Rehome(second, second.NewToken().Reveal(), drop: true));
        Assert.That(close.Message, Does.Contain("ends now"));
        Assert.That((await node.Store.ReadDesiredAsync(default)).Document!.Workloads, Is.Empty);

        second.Offer = (1, Document("new"));
        await Eventually.HoldsAsync(() => second.Clients.Contains("node-1"), "the link to the new hub");
        await second.PokeAsync("node-1", PokeReason.DesiredState);
        await second.Verdicts.Reader.ReadAsync(Eventually.Token());
        Assert.That(await WorkloadsAsync(node), Is.EqualTo(new[] { "new" }));
    }

    [Test]
    public async Task A_drop_that_a_power_cut_came_before_is_made_up_for()
    {
        await using (var node = await EnrolledAsync())
        {
            // Not started: the identity is in force, and nobody has dropped anything yet.
            await using var cut = new NodeFixture(first, directory: Path.Combine(directory, "other"));
            Assert.That(HubAddress.TryParse(second.Address, out var hub));
            await cut.Get<Node.Hub.Enrollment>().EnrollAsync(hub, second.NewToken(), "node-1", default, dropsDesired: true);
            await node.Store.ReadDesiredAsync(default);
            foreach (var file in Directory.GetFiles(cut.Options.IdentityDirectory, "*.*").Where(file => !file.Contains("data.key")))
            {
                File.Copy(file, Path.Combine(node.Options.IdentityDirectory, Path.GetFileName(file)), overwrite: true);
            }
        }

        await using var again = new NodeFixture(first, directory: directory);
        Assert.That(await WorkloadsAsync(again), Is.EqualTo(new[] { "old" }));
        await again.StartAsync();
        await Eventually.HoldsAsync(() => !again.Identities.DropsDesired, "the drop");
        Assert.That((await again.Store.ReadDesiredAsync(default)).Document!.Workloads, Is.Empty);
    }

    [Test]
    public async Task Stays_where_it_is_when_the_new_hub_refuses_its_token()
    {
        await using var node = await EnrolledAsync();
        var wrong = ClaimToken.Create("test", second.Authority.RawData).Reveal();
        var (_, close) = await LocalCall.AskAsync(node, Rehome(second, wrong, drop: true));
        Assert.That(close.Reason, Is.EqualTo(CloseReason.Failed));
        Assert.That(close.Message, Does.Contain("not valid").And.Contain($"stays with {first.Address}"));
        await StaysAsync(node);
        Assert.That(node.Log.Lines, Has.None.Contains(wrong), "no secret in the log");
    }

    [Test]
    public async Task Stays_where_it_is_when_the_new_hub_is_another_than_the_token_says()
    {
        await using var node = await EnrolledAsync();
        var (_, close) = await LocalCall.AskAsync(node, Rehome(second, first.NewToken().Reveal()));
        Assert.That(close.Message, Does.Contain("is not the hub"));
        await StaysAsync(node);
    }

    [Test]
    public async Task Stays_where_it_is_when_nobody_answers()
    {
        await using var node = await EnrolledAsync();
        using var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        var open = Rehome(second, second.NewToken().Reveal());
        open.Rehome.HubAddress = $"localhost:{((IPEndPoint)closed.LocalEndpoint).Port}";
        closed.Stop();
        var (_, close) = await LocalCall.AskAsync(node, open);
        Assert.That(close.Reason, Is.EqualTo(CloseReason.Failed));
        await StaysAsync(node);
    }

    [Test]
    public async Task A_power_cut_before_the_new_identity_is_whole_leaves_the_one_before()
    {
        await using (var node = await EnrolledAsync())
        {
            var identity = Path.Combine(node.Options.IdentityDirectory, "identity.json");
            var before = await File.ReadAllBytesAsync(identity);
            await LocalCall.AskAsync(node, Rehome(second, second.NewToken().Reveal()));
            await File.WriteAllBytesAsync(identity, before);
        }

        await using var again = new NodeFixture(first, directory: directory);
        Assert.That(again.Identities.Current!.Hub.ToString(), Is.EqualTo(first.Address));
        Assert.That(again.Identities.Current.Authority.RawData, Is.EqualTo(first.Authority.RawData));
    }

    [Test]
    public async Task The_card_gets_to_know_the_new_hub_and_keeps_all_else()
    {
        await using var node = await EnrolledAsync();
        var card = node.Get<BoardTree>().CardFile;
        Directory.CreateDirectory(Path.GetDirectoryName(card)!);
        await File.WriteAllTextAsync(card, """{ "Hub": "old:8444", "claimToken": "evc1.x", "wifi": { "ssid": "ål", "country": "NO" }, "later": 1 }""".PadRight(BoardSettings.FileBytes - 1));
        var (_, close) = await LocalCall.AskAsync(node, Rehome(second, second.NewToken().Reveal()));
        Assert.That(close.Message, Does.Not.Contain("card"));
        var bytes = await File.ReadAllBytesAsync(card);
        Assert.That(bytes, Has.Length.EqualTo(BoardSettings.FileBytes));
        var settings = JsonSerializer.Deserialize(bytes, ContractsJson.Default.BoardSettings)!;
        Assert.That((settings.Hub, settings.ClaimToken, settings.Wifi!.Ssid), Is.EqualTo((second.Address, (string?)null, "ål")));
        Assert.That(System.Text.Encoding.UTF8.GetString(bytes), Does.Contain("\"later\": 1"));
    }

    [Test]
    public async Task A_node_without_a_hub_is_told_how_it_gets_one()
    {
        await using var node = new NodeFixture(directory: directory);
        await node.StartAsync();
        var (_, close) = await LocalCall.AskAsync(node, Rehome(second, second.NewToken().Reveal()));
        Assert.That(close.Message, Does.Contain("edgevirt node enroll"));
        Assert.That(second.Enrollments, Is.Zero);
    }

    private static OpenChannel Rehome(FakeHub hub, string token, bool drop = false) =>
        new() { Rehome = new RehomeCommand { HubAddress = hub.Address, ClaimToken = token, DropWorkloads = drop } };

    private static byte[] Document(params string[] workloads) => new NodeDocument
    {
        Node = "node-1",
        Workloads =
        [
            .. workloads.Select(workload => new DesiredWorkload
            {
                Name = workload,
                Uid = $"uid-{workload}",
                Generation = 1,
                Template = new PodSpec { Containers = [new ContainerSpec { Name = "main", Image = "registry.example/app:1" }] },
            }),
        ],
    }.ToBytes();

    private static async Task<string[]> WorkloadsAsync(NodeFixture node) =>
        [.. (await node.Store.ReadDesiredAsync(default)).Document!.Workloads.Select(workload => workload.Name)];

    private async Task<NodeFixture> EnrolledAsync()
    {
        var node = new NodeFixture(first, first.NewToken().Reveal(), directory);
        await node.StartAsync();
        Assert.That((await first.Verdicts.Reader.ReadAsync(Eventually.Token())).Accepted);
        await Eventually.HoldsAsync(() => node.Get<MqttLink>().IsConnected, "the link");
        return node;
    }

    private async Task StaysAsync(NodeFixture node)
    {
        Assert.That(node.Identities.Current!.Hub.ToString(), Is.EqualTo(first.Address));
        Assert.That(node.Get<MqttLink>().IsConnected, "the link was never given up");
        Assert.That(second.Enrollments, Is.Zero);
        Assert.That(await WorkloadsAsync(node), Is.EqualTo(new[] { "old" }));
    }
}
