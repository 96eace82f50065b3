using EdgeVirt.Linux;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>Images of umoci, carried by skopeo through Debian's docker-registry, merge to the tree that umoci unpacks.</summary>
[Category("root")]
internal sealed class SameTreeTests
{
    private StoreFixture _fixture = null!;
    private DockerRegistry _registry = null!;

    private string Image => $"{_fixture.Layout}:v1";

    private string Bundle => Path.Combine(_fixture.Root, "bundle");

    private string Root => Path.Combine(Bundle, "rootfs");

    [SetUp]
    public async Task StartAsync()
    {
        _fixture = new StoreFixture();
        _registry = new DockerRegistry(_fixture.Root);
        await _registry.StartAsync();
        await RunAsync("umoci", "init", "--layout", _fixture.Layout);
        await RunAsync("umoci", "new", "--image", Image);
        await RunAsync("umoci", "unpack", "--image", Image, Bundle);
    }

    [TearDown]
    public void Stop()
    {
        _registry.Dispose();
        _fixture.Dispose();
    }

    [TestCase("gzip")]
    [TestCase("zstd")]
    [TestCase("zstd:chunked", Description = "with frames whose window is 32 MiB")]
    public async Task Whatever_skopeo_compresses_with(string format)
    {
        Directory.CreateDirectory(Path.Combine(Root, "deep", "er"));
        File.WriteAllText(Path.Combine(Root, "deep", "er", "file"), new string('x', 100_000));
        File.WriteAllText(Path.Combine(Root, "deep", "large"), Convert.ToHexString(new Random(1).GetItems<byte>([1, 2, 3, 4, 5, 6, 7, 8], 2_000_000)));
        await RepackAsync();
        File.Delete(Path.Combine(Root, "deep", "er", "file"));
        File.WriteAllText(Path.Combine(Root, "deep", "new"), "second layer");
        await RepackAsync();
        var pushed = await ProcessRunner.RunAsync(
            "skopeo", ["copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", "--dest-compress", "--dest-compress-format", format, $"oci:{Image}", Remote], TimeSpan.FromSeconds(60), check: false);
        if (pushed.ExitCode != 0 && format != "gzip")
        {
            Assert.Ignore($"This skopeo does not make {format}: {pushed.Error}");
        }

        Assert.That(pushed.ExitCode, Is.Zero, pushed.Error);
        await CompareAsync(layers: 2);
    }

    [Test]
    public async Task A_hundred_layers()
    {
        for (var number = 0; number < 100; number++)
        {
            File.WriteAllText(Path.Combine(Root, $"file-{number % 40}"), $"layer {number}");
            if (number % 7 == 3)
            {
                File.Delete(Path.Combine(Root, $"file-{(number - 3) % 40}"));
            }

            await RepackAsync();
        }

        await PushAsync();
        await CompareAsync(layers: 100);
    }

    [Test]
    public async Task Hard_links_that_a_later_layer_makes_to_a_file_of_an_earlier_one()
    {
        File.WriteAllText(Path.Combine(Root, "original"), "shared by name");
        await RunAsync("ln", Path.Combine(Root, "original"), Path.Combine(Root, "twin"));
        await RepackAsync();
        await RunAsync("ln", Path.Combine(Root, "original"), Path.Combine(Root, "later"));
        await RepackAsync();
        await PushAsync();
        await CompareAsync(layers: 2);
    }

    [Test]
    public async Task Sparse_files_and_file_capabilities()
    {
        await RunAsync("truncate", "-s", "20M", Path.Combine(Root, "sparse"));
        await using (var sparse = new FileStream(Path.Combine(Root, "sparse"), FileMode.Open, FileAccess.Write))
        {
            sparse.Position = 10 << 20;
            sparse.Write("in the middle"u8);
        }

        var capable = Path.Combine(Root, "ping");
        File.WriteAllText(capable, "capable");
        await RunAsync("setfattr", "-n", "security.capability", "-v", "0x0100000200040000000000000000000000000000", capable);
        await RunAsync("chmod", "6755", capable);
        await RepackAsync();
        await PushAsync();
        await CompareAsync(layers: 1);
    }

    private string Remote => $"docker://127.0.0.1:{_registry.Port}/same:1";

    private static Task<string> RunAsync(string file, params string[] arguments) => StoreFixture.RunAsync(file, arguments);

    private Task<string> RepackAsync() => RunAsync("umoci", "repack", "--refresh-bundle", "--image", Image, Bundle);

    private Task<string> PushAsync() => RunAsync("skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", $"oci:{Image}", Remote);

    private async Task CompareAsync(int layers)
    {
        var expected = Path.Combine(_fixture.Root, "expected");
        await RunAsync("umoci", "unpack", "--image", Image, expected);
        var stored = await _fixture.PullAsync(_registry, "same:1");
        Assert.That(stored.LayerDirectories, Has.Count.EqualTo(layers));
        Assert.That(await _fixture.DescribeAsync(stored), Is.EqualTo(await StoreFixture.DescribeAsync(Path.Combine(expected, "rootfs"))));
    }
}
