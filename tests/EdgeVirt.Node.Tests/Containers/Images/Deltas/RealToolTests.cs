using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.Tests.Containers.Images.Deltas;

/// <summary>Layers that skopeo compresses as zstd:chunked.</summary>
[Category("root")]
internal sealed class RealToolTests
{
    private const int Files = 300;

    private DeltaFixture _fixture = null!;

    private string Image => $"{_fixture.Store.Layout}:v1";

    private string Bundle => Path.Combine(_fixture.Store.Root, "bundle");

    private string Root => Path.Combine(Bundle, "rootfs");

    [SetUp]
    public async Task StartAsync() => _fixture = await DeltaFixture.StartAsync();

    [TearDown]
    public async Task StopAsync() => await _fixture.DisposeAsync();

    [Test]
    public async Task One_changed_file_of_many_costs_a_twentieth_of_the_layer_at_most()
    {
        await BuildAsync(changed: -1);
        await PushAsync("1");
        await BuildAsync(changed: 7);
        var layer = await PushAsync("2");
        await _fixture.PullAsync(_fixture.Registry.Port, "1");
        var link = _fixture.Link();
        var stored = await _fixture.PullAsync(link.Port, "2", ImageDeltaPolicy.Required);
        TestContext.Out.WriteLine($"{link.BytesReturned} of {layer} bytes, {(double)link.BytesReturned / layer:P2}, {link.Requests.Count} requests");
        Assert.That(link.BytesReturned, Is.LessThan(layer / 20));
        await _fixture.AssertSameAsFullPullAsync(stored, "2");
    }

    /// <summary>Text that compresses as programs do, to some 8 KB a file; directories, links, holes, attributes.</summary>
    private async Task BuildAsync(int changed)
    {
        await RunAsync("rm", "-rf", _fixture.Store.Layout, Bundle);
        await RunAsync("umoci", "init", "--layout", _fixture.Store.Layout);
        await RunAsync("umoci", "new", "--image", Image);
        await RunAsync("umoci", "unpack", "--image", Image, Bundle);
        for (var number = 0; number < Files; number++)
        {
            var directory = Directory.CreateDirectory(Path.Combine(Root, "usr", "lib", $"part-{number / 30}")).FullName;
            await File.WriteAllTextAsync(Path.Combine(directory, $"file-{number}"), Convert.ToHexString(DeltaFixture.Noise(number == changed ? 1_000_000 : number, 8000)));
        }

        await File.WriteAllTextAsync(Path.Combine(Root, "empty"), "");
        await RunAsync("ln", Path.Combine(Root, "usr/lib/part-0/file-1"), Path.Combine(Root, "twin"));
        await RunAsync("ln", "-s", "usr/lib", Path.Combine(Root, "lib"));
        await RunAsync("truncate", "-s", "3M", Path.Combine(Root, "sparse"));
        await RunAsync("setfattr", "-n", "user.note", "-v", "kept", Path.Combine(Root, "usr/lib/part-0/file-2"));
        await RunAsync("chown", "33:33", Path.Combine(Root, "usr/lib/part-1/file-40"), Path.Combine(Root, "usr/lib/part-2/file-70"));
        await RunAsync("find", Root, "-exec", "touch", "-h", "-d", "2026-01-02T03:04:05Z", "{}", "+");
        await RunAsync("umoci", "repack", "--image", Image, Bundle);
    }

    private async Task<long> PushAsync(string tag)
    {
        var remote = $"127.0.0.1:{_fixture.Registry.Port}/delta:{tag}";
        var pushed = await ProcessRunner.RunAsync(
            "skopeo", ["copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", "--dest-compress-format", "zstd:chunked", $"oci:{Image}", $"docker://{remote}"],
            TimeSpan.FromSeconds(60), check: false);
        if (pushed.ExitCode != 0)
        {
            Assert.Ignore($"This skopeo does not make zstd:chunked: {pushed.Error}");
        }

        using var manifest = System.Text.Json.JsonDocument.Parse(await RunAsync("skopeo", "inspect", "--raw", "--tls-verify=false", $"docker://{remote}"));
        return manifest.RootElement.GetProperty("layers")[0].GetProperty("size").GetInt64();
    }

    private static Task<string> RunAsync(string file, params string[] arguments) => StoreFixture.RunAsync(file, arguments);
}
