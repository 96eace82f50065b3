using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Node.Tests.Containers;

internal sealed class WorkloadImagesTests
{
    [Test]
    public async Task The_revision_before_keeps_its_images_too_also_after_a_restart()
    {
        var root = Directory.CreateTempSubdirectory("edgevirt-kept-").FullName;
        try
        {
            var options = new NodeOptions { DataDir = Path.Combine(root, "data"), RunDir = Path.Combine(root, "run") };
            await using (var agent = new AgentUnderTest(options, _ => new FakeContainerRuntime(new FakeTimeProvider()), new FakeImages(), new FakeTimeProvider()))
            {
                await agent.Store.AcceptDesiredAsync(1, Document("r.test/a:1").ToBytes(), default);
                await agent.Store.AcceptDesiredAsync(2, Document("r.test/a:2").ToBytes(), default);
                await agent.Store.AcceptDesiredAsync(3, Document("r.test/a:3", "r.test/b").ToBytes(), default);
                Assert.That(WorkloadImages.NamedBy(await agent.Store.ReadKeptAsync(default)), Is.EquivalentTo(new[] { "r.test/a:2", "r.test/a:3", "r.test/b:latest" }));
            }

            await using var again = new AgentUnderTest(options, _ => new FakeContainerRuntime(new FakeTimeProvider()), new FakeImages(), new FakeTimeProvider());
            Assert.That(WorkloadImages.NamedBy(await again.Store.ReadKeptAsync(default)), Is.EquivalentTo(new[] { "r.test/a:2", "r.test/a:3", "r.test/b:latest" }));
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private static NodeDocument Document(params string[] images) => new()
    {
        Node = "n",
        Workloads = [.. images.Select((image, index) => new DesiredWorkload
        {
            Name = $"w{index}", Uid = "u", Generation = 1, Template = new PodSpec { Containers = [new ContainerSpec { Name = "c", Image = image }] },
        })],
    };
}
