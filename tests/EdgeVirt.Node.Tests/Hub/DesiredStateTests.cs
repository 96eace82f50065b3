using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Hub;
using EdgeVirt.Node.Tests.State;

namespace EdgeVirt.Node.Tests.Hub;

public sealed class DesiredStateTests
{
    private FakeHub hub = null!;
    private NodeFixture node = null!;

    [SetUp]
    public async Task SetUp()
    {
        hub = await FakeHub.StartAsync();
        node = new NodeFixture(hub);
        Assert.That(HubAddress.TryParse(hub.Address, out var address));
        await node.Get<Enrollment>().EnrollAsync(address, hub.NewToken(), "n1", default);
    }

    [TearDown]
    public async Task TearDown()
    {
        await node.DisposeAsync();
        await hub.DisposeAsync();
    }

    [Test]
    public async Task Takes_a_document_in_chunks_and_says_so()
    {
        hub.Offer = (5, StateFixture.Document(30).ToBytes());
        await RunAsync();
        Assert.That((await hub.Verdicts.Reader.ReadAsync(Eventually.Token())).Accepted, Is.True);
        Assert.That((await node.Store.ReadDesiredAsync(default)).Revision, Is.EqualTo(5));

        await RunAsync();
        await hub.Hellos.Reader.ReadAsync(Eventually.Token());
        var second = await hub.Hellos.Reader.ReadAsync(Eventually.Token());
        Assert.That(second.Revision, Is.EqualTo(5));
        Assert.That(second.Digest.ToByteArray(), Is.EqualTo(NodeDocument.DigestOf(hub.Offer.Value.Bytes)));
    }

    [Test]
    public async Task Goes_on_where_the_link_broke()
    {
        hub.Offer = (5, StateFixture.Document(30).ToBytes());
        hub.BreakAfterChunks = 3;
        Assert.That(RunAsync, Throws.TypeOf<HubUnavailableException>());
        Assert.That((await node.Store.ReadDesiredAsync(default)).Document, Is.Null);

        await RunAsync();
        await hub.Hellos.Reader.ReadAsync(Eventually.Token());
        Assert.That((await hub.Hellos.Reader.ReadAsync(Eventually.Token())).PartialBytes, Is.EqualTo(3000));
        Assert.That((await node.Store.ReadDesiredAsync(default)).Document!.ToBytes(), Is.EqualTo(hub.Offer.Value.Bytes));
    }

    [Test]
    public async Task Begins_anew_when_the_kept_part_is_damaged()
    {
        hub.Offer = (5, StateFixture.Document(30).ToBytes());
        hub.BreakAfterChunks = 3;
        Assert.That(RunAsync, Throws.TypeOf<HubUnavailableException>());
        var path = Path.Combine(node.Options.StateDirectory, "partial.bin");
        var kept = await File.ReadAllBytesAsync(path);
        kept[^1] ^= 1;
        await File.WriteAllBytesAsync(path, kept);

        await RunAsync();
        await hub.Hellos.Reader.ReadAsync(Eventually.Token());
        Assert.That((await hub.Hellos.Reader.ReadAsync(Eventually.Token())).PartialBytes, Is.EqualTo(2000));
        Assert.That((await node.Store.ReadDesiredAsync(default)).Revision, Is.EqualTo(5));
    }

    [Test]
    public async Task Takes_no_chunk_that_was_damaged_on_its_way()
    {
        hub.Offer = (5, StateFixture.Document(30).ToBytes());
        hub.Damage = chunk => [.. chunk.Select((value, i) => i == 9 ? (byte)(value ^ 1) : value)];
        Assert.That(RunAsync, Throws.TypeOf<HubUnavailableException>().With.Message.Contains("damaged"));
        Assert.That((await node.Store.ReadDesiredAsync(default)).Document, Is.Null);
    }

    [Test]
    public async Task Refuses_an_invalid_document_with_the_reason_and_keeps_the_last_one()
    {
        hub.Offer = (5, StateFixture.Document(2).ToBytes());
        await RunAsync();
        await hub.Verdicts.Reader.ReadAsync(Eventually.Token());

        hub.Offer = (6, StateFixture.Document(2, image: "no-registry").ToBytes());
        await RunAsync();
        var verdict = await hub.Verdicts.Reader.ReadAsync(Eventually.Token());
        Assert.Multiple(() =>
        {
            Assert.That(verdict.Accepted, Is.False);
            Assert.That(verdict.Revision, Is.EqualTo(6));
            Assert.That(verdict.Reason, Does.Contain("w0000").And.Contain("image"));
            Assert.That(Accepted().Reason, Is.EqualTo(DesiredStateReasons.Invalid));
        });
        Assert.That((await node.Store.ReadDesiredAsync(default)).Revision, Is.EqualTo(5));
    }

    [TestCase("{\"node\":\"n1\"", DesiredStateReasons.Unreadable)]
    [TestCase("{\"node\":\"someone-else\",\"workloads\":[],\"configs\":[],\"secrets\":[]}", DesiredStateReasons.Invalid)]
    public async Task Refuses_what_is_no_document_for_it(string text, string reason)
    {
        hub.Offer = (6, System.Text.Encoding.UTF8.GetBytes(text));
        await RunAsync();
        Assert.That((await hub.Verdicts.Reader.ReadAsync(Eventually.Token())).Accepted, Is.False);
        Assert.That(Accepted().Reason, Is.EqualTo(reason));
        Assert.That((await node.Store.ReadDesiredAsync(default)).Document, Is.Null);
    }

    private Task RunAsync() => node.Get<DesiredStateSession>().RunAsync(Eventually.Token());

    private Condition Accepted() => node.Conditions.Read().Single(condition => condition.Type == ConditionTypes.DesiredStateAccepted);
}
