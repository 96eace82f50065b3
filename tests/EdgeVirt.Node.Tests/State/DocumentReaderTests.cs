using System.Text;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.State;

namespace EdgeVirt.Node.Tests.State;

public sealed class DocumentReaderTests
{
    [Test]
    public void What_was_written_is_read() =>
        Assert.That(new DocumentReader().Read(Document("a:1").ToBytes()).ToBytes(), Is.EqualTo(Document("a:1").ToBytes()));

    [Test]
    public void Only_parts_that_changed_are_new_objects()
    {
        var reader = new DocumentReader();
        var before = reader.Read(Document("a:1").ToBytes());
        var after = reader.Read(Document("a:2").ToBytes());
        Assert.Multiple(() =>
        {
            Assert.That(after.Workloads[0].Template.Containers[0].Image, Is.EqualTo("r.local/a:2"));
            Assert.That(after.Workloads[1], Is.SameAs(before.Workloads[1]));
            Assert.That(after.Configs[0], Is.SameAs(before.Configs[0]));
            Assert.That(after.Secrets[0], Is.SameAs(before.Secrets[0]));
        });
    }

    [Test]
    public void A_config_and_a_secret_of_the_same_text_stay_what_they_are()
    {
        const string text = """{"node":"n","configs":[{"name":"x","data":{}}],"secrets":[{"name":"x","data":{}}]}""";
        var reader = new DocumentReader();
        foreach (var _ in Enumerable.Range(0, 2))
        {
            var document = reader.Read(Encoding.UTF8.GetBytes(text));
            Assert.That(document.Configs.Single().Name + document.Secrets.Single().Name, Is.EqualTo("xx"));
        }
    }

    [Test]
    public void A_newer_hubs_property_is_passed_over() =>
        Assert.That(new DocumentReader().Read("""{"later":{"a":[1]},"node":"n","workloads":null}"""u8).Node, Is.EqualTo("n"));

    [Test]
    public void A_text_cut_anywhere_is_refused()
    {
        var bytes = Document("a:1").ToBytes();
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.That(() => new DocumentReader().Read(bytes.AsSpan(0, length)), Throws.InstanceOf<JsonException>(), $"cut at {length}");
        }
    }

    [TestCase("null")]
    [TestCase("[]")]
    [TestCase("{}")]
    [TestCase("""{"node":7}""")]
    [TestCase("""{"node":"n","workloads":{}}""")]
    [TestCase("""{"node":"n","workloads":[null]}""")]
    [TestCase("""{"node":"n","workloads":[{"name":"x"}]}""")]
    [TestCase("""{"node":"n","secrets":[{"name":"x","data":{"k":"no base64!"}}]}""")]
    [TestCase("""{"node":"n"} {}""")]
    public void What_is_no_document_is_refused(string text) =>
        Assert.That(() => new DocumentReader().Read(Encoding.UTF8.GetBytes(text)), Throws.InstanceOf<JsonException>());

    private static NodeDocument Document(string image) => new()
    {
        Node = "n",
        Workloads = [Workload("one", $"r.local/{image}"), Workload("two", "r.local/b:1")],
        Configs = [new DesiredConfig { Name = "c", Data = new Dictionary<string, string> { ["k"] = "ü \"" } }],
        Secrets = [new DesiredSecret { Name = "s", Data = new Dictionary<string, byte[]> { ["k"] = [0, 255] } }],
    };

    private static DesiredWorkload Workload(string name, string image) => new()
    {
        Name = name, Uid = "u", Generation = 1, Template = new PodSpec { Containers = [new ContainerSpec { Name = "main", Image = image }] },
    };
}
