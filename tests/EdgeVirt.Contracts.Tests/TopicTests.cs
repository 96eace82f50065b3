using CsCheck;

namespace EdgeVirt.Contracts.Tests;

public sealed class TopicTests
{
    private static readonly Gen<string> NodeName =
        Gen.Char["abcdefghijklmnopqrstuvwxyz0123456789-"].Array[1, 63].Select(chars => new string(chars).Trim('-')).Where(name => name.Length > 0);

    [Test]
    public void What_is_written_reads_back_the_same() =>
        Gen.Select(NodeName, Gen.Enum<TopicChannel>()).Sample((node, channel) =>
        {
            var topic = new Topic(node, channel);
            Assert.That(Topic.TryParse(topic.ToString(), out var read), Is.True);
            Assert.That(read, Is.EqualTo(topic));
        });

    [Test]
    public void Nothing_reads_that_would_not_be_written() =>
        Gen.String[Gen.Char["edgvirt/1upson#+-tamly "], 0, 60].Sample(text =>
            !Topic.TryParse(text, out var topic) || topic.ToString() == text);

    [TestCase(null)]
    [TestCase("")]
    [TestCase("edgevirt/v1//up/status")]
    [TestCase("edgevirt/v1/a/b/up/status")]
    [TestCase("edgevirt/v1/+/up/status")]
    [TestCase("edgevirt/v1/node/up/status/")]
    [TestCase("edgevirt/v1/node/up/poke")]
    [TestCase("edgevirt/v2/node/up/status")]
    public void Refuses(string? text) => Assert.That(Topic.TryParse(text, out _), Is.False);

    [Test]
    public void A_node_publishes_only_upstream_and_only_as_itself()
    {
        Assert.Multiple(() =>
        {
            Assert.That(new Topic("a", TopicChannel.Status).MayBePublishedBy("a"), Is.True);
            Assert.That(new Topic("b", TopicChannel.Status).MayBePublishedBy("a"), Is.False);
            Assert.That(new Topic("a", TopicChannel.Poke).MayBePublishedBy("a"), Is.False);
        });
    }
}
