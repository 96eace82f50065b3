using EdgeVirt.Linux;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>Images that podman builds and commits, pushed as it pushes, merge to the tree that podman and umoci have of them.</summary>
[Category("root")]
internal sealed class PodmanTreeTests
{
    private StoreFixture _fixture = null!;
    private DockerRegistry _registry = null!;

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
        await PodmanAsync("umount", "--all", "--force");
        await PodmanAsync("image", "umount", "--all", "--force");
        Mounts.Unmount(Path.Combine(_fixture.Root, "podman", "overlay"), detach: true);
        _registry.Dispose();
        _fixture.Dispose();
    }

    [TestCase("gzip")]
    [TestCase("zstd")]
    [TestCase("zstd:chunked")]
    public async Task Whiteouts_opaque_directories_links_attributes_and_capabilities(string format)
    {
        await BuildAsync();
        await CommitAsync(async root =>
        {
            File.Delete(Path.Combine(root, "usr", "gone"));
            Directory.Delete(Path.Combine(root, "opaque"), recursive: true);
            Directory.CreateDirectory(Path.Combine(root, "opaque"));
            File.WriteAllText(Path.Combine(root, "opaque", "new"), "hides what was below");
            Directory.Delete(Path.Combine(root, "whole"), recursive: true);
            File.WriteAllText(Path.Combine(root, "whole"), "a file where a directory was");
            await RunAsync("ln", Path.Combine(root, "usr", "original"), Path.Combine(root, "usr", "later"));
            await RunAsync("chown", "33:44", Path.Combine(root, "usr", "owned"));
            await RunAsync("chmod", "2750", Path.Combine(root, "usr", "kept"));
        });
        await CommitAsync(async root =>
        {
            var capable = Path.Combine(root, "usr", "capable");
            File.WriteAllText(capable, "capable");
            await RunAsync("setfattr", "-n", "security.capability", "-v", "0x0100000200040000000000000000000000000000", capable);
            await RunAsync("truncate", "-s", "5M", Path.Combine(root, "sparse"));
            await RunAsync("mkfifo", Path.Combine(root, "fifo"));
            File.Delete(Path.Combine(root, "opaque", "new"));
        });

        await PodmanAsync("push", "--quiet", "--format", "oci", "localhost/tree", $"oci:{_fixture.Layout}:v1");
        await PodmanAsync("push", "--quiet", "--format", "oci", "--tls-verify=false", "--compression-format", format, "localhost/tree", $"docker://127.0.0.1:{_registry.Port}/tree:1");
        var stored = await _fixture.PullAsync(_registry, "tree:1");
        Assert.That(stored.LayerDirectories, Has.Count.EqualTo(3));

        var expected = Path.Combine(_fixture.Root, "expected");
        await RunAsync("umoci", "unpack", "--image", $"{_fixture.Layout}:v1", expected);
        var tree = await _fixture.DescribeAsync(stored);
        Assert.That(tree, Is.EqualTo(await StoreFixture.DescribeAsync(Path.Combine(expected, "rootfs"))), "umoci");
        Assert.That(tree, Is.EqualTo(await StoreFixture.DescribeAsync((await PodmanAsync("image", "mount", "localhost/tree")).Trim())), "podman");
    }

    private static Task<string> RunAsync(string file, params string[] arguments) => StoreFixture.RunAsync(file, arguments);

    /// <summary>With a storage of the test's own.</summary>
    private Task<string> PodmanAsync(params string[] arguments) => RunAsync("podman",
        ["--root", Path.Combine(_fixture.Root, "podman"), "--runroot", Path.Combine(_fixture.Root, "podman-run"), "--storage-driver", "overlay", .. arguments]);

    private async Task BuildAsync()
    {
        var context = Directory.CreateDirectory(Path.Combine(_fixture.Root, "context")).FullName;
        foreach (var file in (string[])["usr/gone", "usr/original", "usr/owned", "usr/kept/file", "opaque/old", "opaque/deep/old", "whole/file", "whole/deep/file"])
        {
            Directory.CreateDirectory(Path.Combine(context, Path.GetDirectoryName(file)!));
            File.WriteAllText(Path.Combine(context, file), $"this is {file}");
        }

        File.WriteAllText(Path.Combine(context, "large"), Convert.ToHexString(new Random(1).GetItems<byte>([1, 2, 3, 4, 5, 6, 7, 8], 1_000_000)));
        await RunAsync("ln", "-s", "/usr/original", Path.Combine(context, "link"));
        File.WriteAllText(Path.Combine(_fixture.Root, "Containerfile"), "FROM scratch\nCOPY . /\n");
        await PodmanAsync("build", "--quiet", "--file", Path.Combine(_fixture.Root, "Containerfile"), "--tag", "localhost/tree", context);
    }

    /// <summary>Another layer: what is done to a container's tree.</summary>
    private async Task CommitAsync(Func<string, Task> change)
    {
        await PodmanAsync("create", "--name", "c", "localhost/tree", "/none");
        await change((await PodmanAsync("mount", "c")).Trim());
        await PodmanAsync("umount", "c");
        await PodmanAsync("commit", "--quiet", "c", "localhost/tree");
        await PodmanAsync("rm", "c");
    }
}
