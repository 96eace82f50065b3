using CsCheck;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Images.Layers;

namespace EdgeVirt.Node.Tests.Containers.Images;

[Category("root")]
internal sealed class RoundTripTests
{
    [Test]
    public async Task Merges_layers_to_the_tree_that_umoci_unpacks()
    {
        using var fixture = new StoreFixture();
        var bundle = Path.Combine(fixture.Root, "bundle");
        var rootfs = Path.Combine(bundle, "rootfs");
        var image = $"{fixture.Layout}:v1";
        await StoreFixture.RunAsync("umoci", "init", "--layout", fixture.Layout);
        await StoreFixture.RunAsync("umoci", "new", "--image", image);
        await StoreFixture.RunAsync("umoci", "unpack", "--image", image, bundle);
        await FillAsync(rootfs);
        await StoreFixture.RunAsync("umoci", "repack", "--refresh-bundle", "--image", image, bundle);
        File.Delete(Path.Combine(rootfs, "bin", "tool"));
        Directory.Delete(Path.Combine(rootfs, "var", "old"), recursive: true);
        Directory.CreateDirectory(Path.Combine(rootfs, "new"));
        File.WriteAllText(Path.Combine(rootfs, "new", "file"), "second layer");
        await StoreFixture.RunAsync("umoci", "repack", "--image", image, bundle);
        var expected = Path.Combine(fixture.Root, "expected");
        await StoreFixture.RunAsync("umoci", "unpack", "--image", image, expected);

        var stored = await fixture.PullLayoutAsync();

        Assert.That(stored.LayerDirectories, Has.Count.EqualTo(2));
        var merged = Directory.CreateDirectory(Path.Combine(fixture.Root, "merged")).FullName;
        await StoreFixture.RunAsync("mount", "-t", "overlay", "overlay", "-o", $"lowerdir={stored.LayerDirectories[1]}:{stored.LayerDirectories[0]}", merged);
        try
        {
            Assert.That(await StoreFixture.DescribeAsync(merged), Is.EqualTo(await StoreFixture.DescribeAsync(Path.Combine(expected, "rootfs"))));
        }
        finally
        {
            await StoreFixture.RunAsync("umount", merged);
        }
    }

    [Test]
    public async Task Hides_what_whiteouts_and_opaque_directories_hide()
    {
        using var fixture = new StoreFixture();
        var lower = new TarBuilder().Directory("a").File("a/1").File("a/2").Directory("b").File("b/1").Directory("c").File("c/1").File("d");
        var upper = new TarBuilder().Directory("a").File("a/.wh.1", "").Directory("b").File("b/.wh..wh..opq", "").File("b/2")
            .File(".wh.c", "").Directory("c").File("c/2").File(".wh..wh.plnk", "").File("d", "replaced").File(".wh.d", "");
        new TestImage(Packing.Zstd, lower.ToArray(), upper.ToArray()).WriteLayout(fixture.Layout);

        var stored = await fixture.PullLayoutAsync();

        var merged = Directory.CreateDirectory(Path.Combine(fixture.Root, "merged")).FullName;
        await StoreFixture.RunAsync("mount", "-t", "overlay", "overlay", "-o", $"lowerdir={stored.LayerDirectories[1]}:{stored.LayerDirectories[0]}", merged);
        try
        {
            Assert.That(Directory.EnumerateFiles(merged, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(merged, path)),
                Is.EquivalentTo(new[] { "a/2", "b/2", "c/2", "d" }));
            Assert.That(File.ReadAllText(Path.Combine(merged, "d")), Is.EqualTo("replaced"));
        }
        finally
        {
            await StoreFixture.RunAsync("umount", merged);
        }
    }

    [Test]
    public void Unpacks_any_tree_as_tar_packed_it()
    {
        var node = Gen.Select(Gen.Int[0, 4], Gen.Int[0, 5], Gen.Int[0, 5], Gen.Int[0, 0xFFF], Gen.Int[0, 70_000], Gen.Byte.Array[0, 2000]);
        node.List[0, 25].SampleAsync(async nodes =>
        {
            using var fixture = new StoreFixture();
            var tree = Directory.CreateDirectory(Path.Combine(fixture.Root, "tree")).FullName;
            List<string> directories = [tree], files = [];
            foreach (var (kind, parent, twin, mode, owner, content) in nodes)
            {
                var path = Path.Combine(directories[parent % directories.Count], $"{(char)('a' + kind)}-{directories.Count + files.Count}-ü{owner}");
                await MakeAsync(path, kind, files.Count > 0 ? files[twin % files.Count] : null, content, mode, owner);
                (kind == 0 ? directories : files).Add(path);
            }

            var tar = Path.Combine(fixture.Root, "tree.tar");
            await StoreFixture.RunAsync("tar", "--xattrs", "--xattrs-include=*", "--format=pax", "-C", tree, "-cf", tar, ".");
            var layers = Path.Combine(fixture.Root, "layers");
            var store = new LayerStore(layers, fixture.Options.Limits, DiskSpace.Of);
            store.Clean();
            var bytes = File.ReadAllBytes(tar);
            var digest = Digest.Of(bytes);
            store.Unpack(new MemoryStream(bytes), new Descriptor { Digest = digest, Size = bytes.Length }, new LayerPlace(digest, digest, []), 1 << 30, CancellationToken.None);
            Assert.That(await StoreFixture.DescribeAsync(store.PathOf(digest)), Is.EqualTo(await StoreFixture.DescribeAsync(tree)));
        }, iter: 15, threads: 1).GetAwaiter().GetResult();
    }

    [Test]
    public void Keeps_names_that_are_no_text_and_removes_them_again()
    {
        using var fixture = new StoreFixture();
        var directory = Directory.CreateDirectory(Path.Combine(fixture.Root, "odd")).FullName;
        using (var tree = ConfinedTree.Open(directory))
        {
            tree.MakeDirectory([0xff, 0xfe], new EntryMetadata { Mode = 0x1C0 });
            tree.CreateFile([0xff, 0xfe, (byte)'/', 0x80]).Dispose();
        }

        Assert.That(Directory.EnumerateFileSystemEntries(directory).Count(), Is.EqualTo(1));
        FileTree.Remove(directory);
        Assert.That(Directory.Exists(directory), Is.False);
    }

    private static async Task MakeAsync(string path, int kind, string? twin, byte[] content, int mode, int owner)
    {
        switch (kind)
        {
            case 0:
                Directory.CreateDirectory(path);
                break;
            case 1 when twin is not null:
                await StoreFixture.RunAsync("ln", "-P", twin, path);
                return;
            case 2:
                File.CreateSymbolicLink(path, "../../" + new string('t', 1 + (mode % 150)));
                await StoreFixture.RunAsync("chown", "-h", $"{owner}:{owner + 1}", path);
                return;
            default:
                File.WriteAllBytes(path, content);
                break;
        }

        await StoreFixture.RunAsync("chown", $"{owner}:{owner + 1}", path);
        await StoreFixture.RunAsync("chmod", Convert.ToString(mode, 8), path);
        await StoreFixture.RunAsync("setfattr", "-n", "user.test", "-v", "0x00ff" + Convert.ToHexString(content.AsSpan(0, Math.Min(20, content.Length))), path);
    }

    private static async Task FillAsync(string rootfs)
    {
        Directory.CreateDirectory(Path.Combine(rootfs, "bin"));
        Directory.CreateDirectory(Path.Combine(rootfs, "var", "old", "deep"));
        File.WriteAllText(Path.Combine(rootfs, "var", "old", "deep", "file"), "goes away");
        File.WriteAllText(Path.Combine(rootfs, "bin", "tool"), "goes away");
        var setuid = Path.Combine(rootfs, "bin", "setuid");
        File.WriteAllText(setuid, "#!/bin/sh\n");
        await StoreFixture.RunAsync("chown", "12:34", setuid);
        await StoreFixture.RunAsync("chmod", "6755", setuid);
        await StoreFixture.RunAsync("ln", setuid, Path.Combine(rootfs, "bin", "twin"));
        await StoreFixture.RunAsync("ln", "-s", "/bin/setuid", Path.Combine(rootfs, "link"));
        await StoreFixture.RunAsync("mkfifo", Path.Combine(rootfs, "fifo"));
        var capable = Path.Combine(rootfs, "bin", "capable");
        File.WriteAllText(capable, "capable");
        await StoreFixture.RunAsync("setfattr", "-n", "security.capability", "-v", "0x0100000200040000000000000000000000000000", capable);
        await StoreFixture.RunAsync("touch", "-d", "2001-02-03 04:05:06", capable);
        await StoreFixture.RunAsync("chmod", "1777", Path.Combine(rootfs, "var"));
    }
}
