using System.Net.Http.Headers;
using System.Text.Json;
using EdgeVirt.Testing;

namespace EdgeVirt.SystemTests;

/// <summary>The agent is killed in the middle of a pull over a thin link.</summary>
[Category("root")]
public sealed class KilledPullTests
{
    private const long BytesPerSecond = 800_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly double[] Kills = [0.25, 0.6];

    [Test]
    public async Task The_next_agent_goes_on_from_the_byte_that_was_reached()
    {
        SlowLink? link = null;
        try
        {
            await using var fleet = await Fleet.StartAsync(configure: settings =>
            {
                var registry = settings["registries"]![Fleet.RegistryName]!;
                var direct = new Uri((string)registry["url"]!);
                link = new SlowLink(System.Net.IPAddress.Parse(direct.Host), direct, BytesPerSecond);
                registry["url"] = link.Url.ToString();
            });
            var whole = await BytesOfImageAsync(fleet.Registry.Url);
            var partial = Path.Combine(fleet.Node.DataDirectory, "images", "partial");
            await fleet.Hub.Api.ApplyAsync(SampleManifests.Web);
            foreach (var part in Kills)
            {
                await HubApi.WaitForAsync(
                    $"{part:P0} of the image", () => Task.FromResult(link!.BytesReturned), bytes => bytes >= part * whole, bytes => $"{bytes} of {whole} bytes", Patience);
                await fleet.Node.KillAsync();
                Assert.That(new DirectoryInfo(partial).EnumerateFiles().Sum(file => file.Length), Is.GreaterThan(0), "it was in the middle of a layer");
                await fleet.Node.StartAsync();
            }

            link!.Widen();
            await fleet.Hub.Api.WaitForWorkloadAsync("web", 1, Patience);
            await Fleet.FetchAsync(fleet.Node);
            TestContext.Out.WriteLine($"{Kills.Length} kills: {link.BytesReturned} bytes came, the image has {whole}: {(double)link.BytesReturned / whole:F4}");
            Assert.That(link.BytesReturned, Is.InRange(whole, (long)(whole * 1.05)));
        }
        finally
        {
            if (link is not null)
            {
                await link.DisposeAsync();
            }
        }
    }

    /// <summary>Manifest, config and layers.</summary>
    private static async Task<long> BytesOfImageAsync(Uri registry)
    {
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(registry, "/v2/sample/web/manifests/1"));
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/vnd.oci.image.manifest.v1+json"));
        using var answer = await client.SendAsync(request);
        var text = await answer.EnsureSuccessStatusCode().Content.ReadAsStringAsync();
        using var manifest = JsonDocument.Parse(text);
        var parts = manifest.RootElement.GetProperty("layers").EnumerateArray().Append(manifest.RootElement.GetProperty("config"));
        return text.Length + parts.Sum(part => part.GetProperty("size").GetInt64());
    }
}
