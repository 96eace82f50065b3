using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Boards;
using EdgeVirt.Node.Hub;
using EdgeVirt.Node.Tests.Hub;

namespace EdgeVirt.Node.Tests.Boards;

public sealed class FirstBootTests
{
    [Test]
    public async Task A_card_with_hub_and_token_makes_a_node_without_a_keyboard()
    {
        await using var hub = await FakeHub.StartAsync();
        using var board = new PreparedBoard();
        board.WriteCard($$"""{ "hub": "{{hub.Address}}", "claimToken": "{{hub.NewToken().Reveal()}}", "nodeName": "oslo-1", "colour": "red" }""");
        board.Prepare();
        var read = NodeOptionsReader.Read(
            ["--data-dir", board.Paths.DataDir, "--run-dir", Path.Combine(board.Paths.Run, "edgevirt"), "--heartbeat-seconds", "1"],
            name => name == "EDGEVIRT_BOARD_CONFIG" ? board.Paths.AgentOptions : null);

        await using var node = new NodeFixture(read);
        await node.StartAsync();
        await Eventually.HoldsAsync(() => node.Identities.Current is not null, "the identity");
        await Eventually.HoldsAsync(() => node.Conditions.Read().Any(condition => condition.Type == ConditionTypes.StorageWorn), "the storage");
        var status = await node.Get<NodeStatusSource>().ReadAsync(default);
        Assert.Multiple(() =>
        {
            Assert.That(node.Identities.Current!.Hub.ToString(), Is.EqualTo(hub.Address));
            Assert.That(File.Exists(board.Paths.ClaimToken), Is.False, "it was used");
            Assert.That(status.Storage, Is.Not.Null);
            var settings = status.Conditions.Single(condition => condition.Type == ConditionTypes.BoardSettings);
            Assert.That((settings.Status, settings.Reason), Is.EqualTo((ConditionStatus.False, BoardSettingsReasons.Invalid)));
            Assert.That(settings.Message, Does.Contain("'colour' is no setting"));
            Assert.That(File.GetLastWriteTimeUtc(board.Paths.Clock), Is.EqualTo(DateTime.UtcNow).Within(TimeSpan.FromMinutes(1)));
        });

        board.CutPower();
        board.Prepare();
        Assert.That(board.Clock, Is.EqualTo(DateTimeOffset.UtcNow).Within(TimeSpan.FromMinutes(1)), "the time goes on where it was");
        Assert.That(board.HostName, Is.EqualTo(node.Identities.Current!.Node));
    }

    [Test]
    public async Task The_hub_on_the_card_moves_no_node_that_is_enrolled_elsewhere()
    {
        await using var hub = await FakeHub.StartAsync();
        using var board = new PreparedBoard();
        var options = new NodeOptions { DataDir = board.Paths.DataDir, RunDir = Path.Combine(board.Paths.Run, "edgevirt"), BoardHub = "first.example.com:8444" };
        Directory.CreateDirectory(options.DataDir);
        Assert.That(HubAddress.TryParse(hub.Address, out var other), Is.True);
        await using (var node = new NodeFixture(options))
        {
            await node.Get<Enrollment>().EnrollAsync(other, hub.NewToken(), null, default);
        }

        await using var again = new NodeFixture(options);
        Assert.That(again.Identities.Current!.Hub, Is.EqualTo(other));
    }

    [Test]
    public async Task Without_a_prepared_board_nothing_is_said_of_its_settings_and_no_time_is_noted()
    {
        await using var node = new NodeFixture();
        await node.StartAsync();
        await Eventually.HoldsAsync(() => node.Conditions.Read().Any(condition => condition.Type == ConditionTypes.StorageWorn), "the storage");
        Assert.That(node.Conditions.Read().Any(condition => condition.Type == ConditionTypes.BoardSettings), Is.False);
        Assert.That(Directory.Exists(BoardPaths.DirectoryOf(node.Options.DataDir)), Is.False);
    }
}
