using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Boards;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Boards;
using EdgeVirt.Node.Hub;
using EdgeVirt.Node.Tests.Control;
using EdgeVirt.Node.Tests.Hub;

namespace EdgeVirt.Node.Tests.Boards;

public sealed class FactoryResetTests
{
    private const string Settings = """{ "hub": "hub.example:8444", "claimToken": "evc1.used", "wifi": { "ssid": "quay", "country": "NO" } }""";

    private FakeHub hub = null!;
    private NodeFixture node = null!;

    private BoardTree Board => node.Get<BoardTree>();

    [SetUp]
    public async Task SetUp()
    {
        hub = await FakeHub.StartAsync();
        node = new NodeFixture(hub, hub.NewToken().Reveal());
        await node.StartAsync();
        await Eventually.HoldsAsync(() => node.Get<MqttLink>().IsConnected, "the link");
    }

    [TearDown]
    public async Task TearDown()
    {
        await node.DisposeAsync();
        await hub.DisposeAsync();
    }

    [Test]
    public async Task Marks_the_card_tells_the_hub_and_restarts_the_board()
    {
        MakeNodeImage();
        var (_, close) = await AskAsync(new FactoryResetCommand { NodeName = "node-1" });
        Assert.That(close.Reason, Is.EqualTo(CloseReason.Done), close.Message);
        Assert.That(close.Message, Does.StartWith("The hub knows."));
        Assert.That(File.Exists(Board.ResetMark));
        Assert.That(ConditionsToldTo(hub), Does.Contain(ConditionTypes.FactoryReset));
        await Eventually.HoldsAsync(() => node.Restarts == 1, "the restart");

        var card = ReadCard();
        Assert.That((card.Hub, card.ClaimToken, card.Wifi!.Ssid), Is.EqualTo(("hub.example:8444", (string?)null, "quay")), "the network stays, the used token goes");
    }

    [Test]
    public async Task Puts_a_new_token_on_the_card_and_takes_the_network_off_it()
    {
        MakeNodeImage();
        var token = hub.NewToken().Reveal();
        await AskAsync(new FactoryResetCommand { NodeName = "node-1", ClaimToken = token, ForgetNetwork = true });
        var card = ReadCard();
        Assert.That((card.ClaimToken, card.Wifi), Is.EqualTo((token, (WifiSettings?)null)));
        Assert.That(new FileInfo(Board.CardFile).Length, Is.EqualTo(BoardSettings.FileBytes));
        Assert.That(node.Log.Lines, Has.None.Contains(token), "no secret in the log");
    }

    [TestCase("node-2", "", CloseReason.Conflict, "This is the node 'node-1', not 'node-2'")]
    [TestCase("node-1", "evc1.cut", CloseReason.Invalid, "no claim token")]
    public async Task Changes_nothing_when_it_is_asked_wrongly(string name, string token, CloseReason reason, string words)
    {
        MakeNodeImage();
        var (_, close) = await AskAsync(new FactoryResetCommand { NodeName = name, ClaimToken = token });
        Assert.That(close.Reason, Is.EqualTo(reason));
        Assert.That(close.Message, Does.Contain(words));
        AssertUntouched();
    }

    [Test]
    public async Task Is_refused_on_a_system_that_would_not_act_on_the_mark()
    {
        Directory.CreateDirectory(Path.Combine(Board.Root, "etc"));
        await File.WriteAllTextAsync(Path.Combine(Board.Root, "etc/os-release"), "ID=debian\n");
        var (_, close) = await AskAsync(new FactoryResetCommand { NodeName = "node-1" });
        Assert.That(close.Reason, Is.EqualTo(CloseReason.Unsupported));
        Assert.That(close.Message, Does.Contain("no EdgeVirt node image").And.Contain("remove /var/lib/edgevirt"));
        Assert.That(node.Restarts, Is.Zero);
    }

    [Test]
    public async Task Changes_nothing_when_the_mark_cannot_be_written()
    {
        MakeNodeImage();
        Directory.CreateDirectory(Board.ResetMark);
        var (_, close) = await AskAsync(new FactoryResetCommand { NodeName = "node-1", ClaimToken = hub.NewToken().Reveal() });
        Assert.That(close.Message, Does.StartWith("Nothing is reset, because the card could not be written to"));
        Directory.Delete(Board.ResetMark);
        AssertUntouched();
    }

    [Test]
    public async Task Takes_the_mark_back_when_the_token_does_not_get_onto_the_card()
    {
        MakeNodeImage();
        await File.WriteAllTextAsync(Board.CardFile, "{ broken");
        var (_, close) = await AskAsync(new FactoryResetCommand { NodeName = "node-1", ClaimToken = hub.NewToken().Reveal() });
        Assert.That(close.Message, Does.Contain("settings.json cannot be read"));
        Assert.That(File.Exists(Board.ResetMark), Is.False);
        Assert.That(node.Restarts, Is.Zero);
    }

    [Test]
    public async Task Needs_no_hub()
    {
        MakeNodeImage();
        await hub.DisposeAsync();
        await Eventually.HoldsAsync(() => !node.Get<MqttLink>().IsConnected, "the end of the link");
        var (_, close) = await AskAsync(new FactoryResetCommand { NodeName = "node-1" });
        Assert.That(close.Message, Does.StartWith("The hub was not told"));
        await Eventually.HoldsAsync(() => node.Restarts == 1, "the restart");
    }

    private static List<string> ConditionsToldTo(FakeHub hub)
    {
        List<string> told = [];
        while (hub.Messages.Reader.TryRead(out var message))
        {
            if (message.Topic.Channel == TopicChannel.Status)
            {
                told.AddRange(StatusReport.Parser.ParseFrom(message.Payload).Objects.Where(item => item.Kind == "Node")
                    .SelectMany(item => JsonSerializer.Deserialize(item.StatusJson.Span, ContractsJson.Default.NodeStatus)!.Conditions)
                    .Select(condition => condition.Type));
            }
        }

        return told;
    }

    private Task<(byte[] Data, CloseChannel Close)> AskAsync(FactoryResetCommand command) => LocalCall.AskAsync(node, new OpenChannel { FactoryReset = command });

    private BoardSettings ReadCard() => JsonSerializer.Deserialize(File.ReadAllBytes(Board.CardFile), ContractsJson.Default.BoardSettings)!;

    private void MakeNodeImage()
    {
        Directory.CreateDirectory(Path.Combine(Board.Root, "etc"));
        File.WriteAllText(Path.Combine(Board.Root, "etc/os-release"), "ID=debian\nIMAGE_ID=edgevirt\nIMAGE_VERSION=\"1.2\"\n");
        Directory.CreateDirectory(Board.CardDirectory);
        File.WriteAllText(Board.CardFile, Settings.PadRight(BoardSettings.FileBytes));
    }

    private void AssertUntouched()
    {
        Assert.Multiple(() =>
        {
            Assert.That(File.Exists(Board.ResetMark), Is.False);
            Assert.That(File.ReadAllText(Board.CardFile).TrimEnd(), Is.EqualTo(Settings));
            Assert.That(node.Restarts, Is.Zero);
            Assert.That(node.Conditions.Read().Any(condition => condition.Type == ConditionTypes.FactoryReset), Is.False);
        });
    }
}
