using System.Security.Cryptography;
using EdgeVirt.Linux;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>Images of buildah, docker and mmdebstrap, and one that is large, merge to the tree that umoci or podman has of them.</summary>
[Category("root")]
internal sealed class OtherMakersTests
{
    private const long LargeBytes = (4L << 30) + (200L << 20);

    private StoreFixture _fixture = null!;
    private DockerRegistry _registry = null!;

    private string Remote => $"docker://127.0.0.1:{_registry.Port}/made:1";

    [SetUp]
    public async Task StartAsync()
    {
        _fixture = new StoreFixture();
        _registry = new DockerRegistry(_fixture.Root);
        await _registry.StartAsync();
    }

    [TearDown]
    public async Task StopAsync()
    {
        foreach (var tool in (string[])["podman", "buildah"])
        {
            if (Directory.Exists(Path.Combine(_fixture.Root, tool)))
            {
                await StorageAsync(tool, "umount", "--all");
                Mounts.Unmount(Path.Combine(_fixture.Root, tool, "overlay"), detach: true);
            }
        }

        _registry.Dispose();
        _fixture.Dispose();
    }

    [TestCase("oci")]
    [TestCase("docker")]
    public async Task Buildah(string format)
    {
        var name = (await StorageAsync("buildah", "from", "scratch")).Trim();
        var root = (await StorageAsync("buildah", "mount", name)).Trim();
        await FillAsync(root);
        await StorageAsync("buildah", "commit", "--quiet", "--format", format, name, "localhost/made");
        name = (await StorageAsync("buildah", "from", "localhost/made")).Trim();
        root = (await StorageAsync("buildah", "mount", name)).Trim();
        await ChangeAsync(root);
        await StorageAsync("buildah", "commit", "--quiet", "--format", format, name, "localhost/made");
        await StorageAsync("buildah", "push", "--quiet", "--tls-verify=false", "localhost/made", Remote);
        await CompareAsync(layers: 2);
    }

    [Test]
    public async Task Docker()
    {
        if (!File.Exists("/usr/sbin/dockerd") && !File.Exists("/usr/bin/dockerd"))
        {
            Assert.Ignore("docker.io is not installed; './dev setup test' does that.");
        }

        var context = Directory.CreateDirectory(Path.Combine(_fixture.Root, "context")).FullName;
        await FillAsync(Path.Combine(Directory.CreateDirectory(Path.Combine(context, "tree")).FullName));
        File.Copy("/bin/busybox", Path.Combine(context, "busybox"));
        File.WriteAllText(Path.Combine(context, "Dockerfile"), """
            FROM scratch
            COPY tree /
            COPY busybox /bin/busybox
            RUN ["/bin/busybox", "sh", "-c", "B=/bin/busybox; $B rm -r /opaque /gone && $B mkdir /opaque && echo new > /opaque/new && $B ln /original /later && $B chown 33:44 /kept"]
            """);
        var archive = Path.Combine(_fixture.Root, "saved.tar");
        using var network = new TestNetwork();
        await using (var docker = await DockerEngine.StartAsync(Directory.CreateDirectory(Path.Combine(_fixture.Root, "docker")).FullName, network.Namespaces[0].Name))
        {
            await docker.RunAsync("build", "--quiet", "--network", "none", "--tag", "registry.test/saved:1", context);
            await docker.RunAsync("save", "--output", archive, "registry.test/saved:1");
        }

        await RunAsync("skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", $"docker-archive:{archive}", Remote);
        var tree = await CompareAsync(layers: 3);
        await _fixture.Open().ImportAsync(archive, null, CancellationToken.None);
        var imported = await _fixture.Open().FindAsync(StoreFixture.Reference("registry.test/saved:1"), CancellationToken.None);
        Assert.That(await _fixture.DescribeAsync(imported!), Is.EqualTo(tree), "and the archive that docker saved");
    }

    [Test]
    public async Task A_root_of_mmdebstrap_with_its_device_nodes()
    {
        var tar = Path.Combine(_fixture.Root, "root.tar");
        await ProcessRunner.RunAsync(
            "mmdebstrap", ["--quiet", "--mode=root", "--variant=extract", "--format=tar", "--include=base-files,busybox-static,passwd", Suite(), tar], TimeSpan.FromMinutes(5));
        await StorageAsync("podman", "import", "--quiet", tar, "localhost/made");
        await StorageAsync("podman", "push", "--quiet", "--tls-verify=false", "localhost/made", Remote);
        var tree = await CompareAsync(layers: 1);
        Assert.That(tree, Does.Contain("/dev/null 1:3"));
        Assert.That(tree, Is.EqualTo(await StoreFixture.DescribeAsync((await StorageAsync("podman", "image", "mount", "localhost/made")).Trim())), "podman");
    }

    [Test]
    [Category("long")]
    public async Task A_file_of_more_than_4_GiB()
    {
        var tree = Directory.CreateDirectory(Path.Combine(_fixture.Root, "tree")).FullName;
        await using (var file = File.Create(Path.Combine(tree, "large")))
        {
            // A little noise here and there: all zeros would look like a bomb.
            var noise = new byte[4 << 10];
            var random = new Random(1);
            for (file.SetLength(LargeBytes); file.Position < LargeBytes - (256 << 10); file.Seek(252 << 10, SeekOrigin.Current))
            {
                random.NextBytes(noise);
                await file.WriteAsync(noise);
            }
        }

        var layer = Path.Combine(_fixture.Root, "layer.tar.zst");
        await ProcessRunner.RunAsync("tar", ["--format=pax", "--use-compress-program=zstd -1", "-C", tree, "-cf", layer, "."], TimeSpan.FromMinutes(5));
        await using var unpacked = new ZstdSharp.DecompressionStream(File.OpenRead(layer), leaveOpen: false);
        var diffId = "sha256:" + Convert.ToHexStringLower(await SHA256.HashDataAsync(unpacked));
        var image = new TestImage(Packing.Zstd) { Layers = { File.ReadAllBytes(layer) }, DiffIds = { diffId }, LayerTypes = { "application/vnd.oci.image.layer.v1.tar+zstd" } };
        await _registry.PushAsync(image, "made", "1");
        var stored = await _fixture.PullAsync(_registry, "made:1");
        Assert.That(await _fixture.DescribeAsync(stored), Is.EqualTo(await StoreFixture.DescribeAsync(tree)));
    }

    private async Task<string> CompareAsync(int layers)
    {
        await RunAsync("skopeo", "copy", "--quiet", "--insecure-policy", "--src-tls-verify=false", Remote, $"oci:{_fixture.Layout}:v1");
        var expected = Path.Combine(_fixture.Root, "expected");
        await RunAsync("umoci", "unpack", "--image", $"{_fixture.Layout}:v1", expected);
        var stored = await _fixture.PullAsync(_registry, "made:1");
        Assert.That(stored.LayerDirectories, Has.Count.EqualTo(layers));
        var tree = await _fixture.DescribeAsync(stored);
        Assert.That(tree, Is.EqualTo(await StoreFixture.DescribeAsync(Path.Combine(expected, "rootfs"))), "umoci");
        return tree;
    }

    private static async Task FillAsync(string root)
    {
        foreach (var file in (string[])["gone", "original", "kept", "opaque/old", "opaque/deep/old"])
        {
            Directory.CreateDirectory(Path.Combine(root, Path.GetDirectoryName(file)!));
            File.WriteAllText(Path.Combine(root, file), $"this is {file}");
        }

        await RunAsync("ln", "-s", "/original", Path.Combine(root, "link"));
        await RunAsync("chmod", "4755", Path.Combine(root, "kept"));
    }

    private static async Task ChangeAsync(string root)
    {
        File.Delete(Path.Combine(root, "gone"));
        Directory.Delete(Path.Combine(root, "opaque"), recursive: true);
        Directory.CreateDirectory(Path.Combine(root, "opaque"));
        File.WriteAllText(Path.Combine(root, "opaque", "new"), "hides what was below");
        await RunAsync("ln", Path.Combine(root, "original"), Path.Combine(root, "later"));
        await RunAsync("chown", "33:44", Path.Combine(root, "kept"));
        await RunAsync("mknod", Path.Combine(root, "null"), "c", "1", "3");
    }

    private static string Suite() => File.ReadLines("/etc/os-release").Single(line => line.StartsWith("VERSION_CODENAME=", StringComparison.Ordinal)).Split('=')[1];

    private static Task<string> RunAsync(string file, params string[] arguments) => StoreFixture.RunAsync(file, arguments);

    /// <summary>podman or buildah, with a storage of the test's own.</summary>
    private Task<string> StorageAsync(string tool, params string[] arguments) => RunAsync(tool,
        ["--root", Path.Combine(_fixture.Root, tool), "--runroot", Path.Combine(_fixture.Root, tool + "-run"), "--storage-driver", "overlay", .. arguments]);
}
