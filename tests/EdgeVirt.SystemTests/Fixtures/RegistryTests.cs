using System.Net;
using EdgeVirt.Testing;

namespace EdgeVirt.SystemTests.Fixtures;

internal sealed class RegistryTests
{
    [Test]
    public async Task Serves_what_was_pushed_also_after_a_restart()
    {
        await using var registry = await Registry.StartAsync(IPAddress.Loopback);
        using var client = new HttpClient();
        registry.Push(SampleImages.Busybox, "test/busybox:1");

        await registry.StopAsync();
        await registry.StartAsync();

        Assert.That(await client.GetStringAsync(new Uri(registry.Url, "/v2/test/busybox/tags/list")), Does.Contain("\"1\""));
    }
}
