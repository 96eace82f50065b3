using System.Text.Json.Nodes;
using EdgeVirt.Node.Containers.Images;

namespace EdgeVirt.Node.Tests.Containers.Images;

[Category("root")]
internal sealed class HostileLayerTests
{
    private static IEnumerable<TestCaseData> Attacks()
    {
        yield return Attack("dot_dot", ImageRefusedReason.EscapingPath, tar => tar.File("../../sentinel/victim"));
        yield return Attack("dot_dot_within", ImageRefusedReason.EscapingPath, tar => tar.Directory("a").File("a/../../x"));
        yield return Attack("dot_dot_by_pax", ImageRefusedReason.EscapingPath, tar => tar.Pax(("path", "../evil")).File("harmless"));
        yield return Attack("dot_dot_by_long_name", ImageRefusedReason.EscapingPath, tar => tar.File(new string('a', 120) + "/../../../x"));
        yield return Attack("absolute", ImageRefusedReason.EscapingPath, tar => tar.File("/tmp/edgevirt-evil"));
        yield return Attack("root_is_a_file", ImageRefusedReason.EscapingPath, tar => tar.File("./"[..1]));
        yield return Attack("too_deep", ImageRefusedReason.EscapingPath, tar => tar.File(string.Join('/', Enumerable.Repeat("d", 300))));
        yield return Attack("write_through_symlink", ImageRefusedReason.ThroughSymlink, tar => tar.Symlink("link", "../../../../sentinel").File("link/victim", "pwned"));
        yield return Attack("write_through_absolute_symlink", ImageRefusedReason.ThroughSymlink, tar => tar.Symlink("etc", "/tmp").File("etc/edgevirt-evil", "pwned"));
        yield return Attack("write_through_deep_symlink", ImageRefusedReason.ThroughSymlink, tar => tar.Directory("a").Symlink("a/b", "..").File("a/b/c/d", "pwned"));
        yield return Attack("whiteout_through_symlink", ImageRefusedReason.ThroughSymlink, tar => tar.Symlink("link", "../../../../sentinel").File("link/.wh.victim", ""));
        yield return Attack("opaque_through_symlink", ImageRefusedReason.ThroughSymlink, tar => tar.Symlink("link", "../../../../sentinel").File("link/.wh..wh..opq", ""));
        yield return Attack("hard_link_outside", ImageRefusedReason.EscapingLink, tar => tar.HardLink("x", "../../../../sentinel/victim"));
        yield return Attack("hard_link_absolute", ImageRefusedReason.EscapingLink, tar => tar.HardLink("x", "/etc/shadow"));
        yield return Attack("hard_link_through_symlink", ImageRefusedReason.EscapingLink, tar => tar.Symlink("s", "../../../../sentinel").HardLink("x", "s/victim"));
        yield return Attack("hard_link_to_nothing", ImageRefusedReason.EscapingLink, tar => tar.HardLink("x", "absent"));
        yield return Attack("hard_link_to_whiteout", ImageRefusedReason.EscapingLink, tar => tar.File(".wh.gone", "").HardLink("x", "gone"));
        yield return Attack("a_device_that_is_a_whiteout", ImageRefusedReason.DeviceNode, tar => tar.Add('3', "dev/mem"));
        yield return Attack("a_block_device_without_a_number", ImageRefusedReason.DeviceNode, tar => tar.Add('4', "dev/sda"));
        yield return Attack("whiteout_of_parent", ImageRefusedReason.BadWhiteout, tar => tar.File(".wh...", ""));
        yield return Attack("whiteout_of_self", ImageRefusedReason.BadWhiteout, tar => tar.File("a/.wh..", ""));
        yield return Attack("whiteout_of_nothing", ImageRefusedReason.BadWhiteout, tar => tar.File(".wh.", ""));
        yield return Attack("whiteout_directory", ImageRefusedReason.BadWhiteout, tar => tar.File(".wh.a/b"));
        yield return Attack("file_as_directory", ImageRefusedReason.EscapingPath, tar => tar.File("f").File("f/g"));
        yield return Attack("sparse_file", ImageRefusedReason.UnsupportedEntry, tar => tar.Add('S', "s"));
        yield return Attack("sparse_by_pax", ImageRefusedReason.UnsupportedEntry, tar => tar.Pax(("GNU.sparse.major", "1")).File("s"));
        yield return Attack("size_beyond_the_end", ImageRefusedReason.DamagedArchive, tar => tar.Add('0', "f", [1, 2, 3], size: 1 << 30));
        yield return Attack("malformed_pax", ImageRefusedReason.DamagedArchive, tar => tar.Add('x', "pax", "999 path=x\n"u8.ToArray()).File("f"));
        yield return Attack("endless_pax", ImageRefusedReason.DamagedArchive, tar => tar.Add('x', "pax", size: 1L << 32));
    }

    [TestCaseSource(nameof(Attacks))]
    public async Task Refuses_a_hostile_layer(ImageRefusedReason reason, Func<TarBuilder, TarBuilder> attack)
    {
        using var fixture = new StoreFixture();
        var first = new TarBuilder().File("good").ToArray();
        var tar = new TarBuilder().File("before");
        attack(tar);
        new TestImage(Packing.Gzip, first, tar.File("after").ToArray()).WriteLayout(fixture.Layout);
        await AssertRefusedAsync(fixture, reason);
        Assert.That(File.Exists("/tmp/edgevirt-evil"), Is.False);
    }

    private static IEnumerable<TestCaseData> Lies()
    {
        yield return Lie("diff_id", ImageRefusedReason.DiffIdMismatch, (_, image) => image.DiffIds[0] = "sha256:" + new string('0', 64));
        yield return Lie("missing_diff_id", ImageRefusedReason.InvalidManifest, (_, image) => image.DiffIds.Clear());
        yield return Lie("diff_id_that_is_a_path", ImageRefusedReason.InvalidManifest, (_, image) => image.DiffIds[0] = "sha256:../../../../../../sentinel");
        yield return Lie("layer_digest_that_is_a_path", ImageRefusedReason.InvalidManifest, (_, image) => image.Tamper = m => m["layers"]![0]!["digest"] = "sha256:../../../victim");
        yield return Lie("layer_size_too_small", ImageRefusedReason.SizeMismatch, (_, image) => image.Tamper = m => m["layers"]![0]!["size"] = 10);
        yield return Lie("layer_size_too_large", ImageRefusedReason.SizeMismatch, (_, image) => image.Tamper = m => m["layers"]![0]!["size"] = 10_000_000);
        yield return Lie("config_size", ImageRefusedReason.SizeMismatch, (_, image) => image.Tamper = m => m["config"]!["size"] = 3);
        yield return Lie("index_and_manifest_at_once", ImageRefusedReason.InvalidManifest, (_, image) => image.Tamper = m => m["manifests"] = new JsonArray());
        yield return Lie("old_schema", ImageRefusedReason.UnsupportedMediaType, (_, image) => image.Tamper = m => m["schemaVersion"] = 1);
        yield return Lie("unknown_layer_type", ImageRefusedReason.UnsupportedMediaType, (_, image) => image.LayerTypes[0] = "application/vnd.oci.image.layer.v1.tar+encrypted");
        yield return Lie("other_architecture", ImageRefusedReason.WrongPlatform, (_, image) => image.Architecture = "s390x");
        yield return Lie("bomb_by_ratio", ImageRefusedReason.TooLarge, (fixture, _) => fixture.Options = fixture.Options with { Limits = fixture.Options.Limits with { RatioFloorBytes = 1 << 20, MaxRatio = 20 } });
        yield return Lie("bomb_by_size", ImageRefusedReason.TooLarge, (fixture, _) => fixture.Options = fixture.Options with { Limits = fixture.Options.Limits with { MaxUnpackedBytes = 1 << 20 } });
        yield return Lie("too_many_entries", ImageRefusedReason.TooLarge, (fixture, _) => fixture.Options = fixture.Options with { Limits = fixture.Options.Limits with { MaxEntries = 2 } });
    }

    [TestCaseSource(nameof(Lies))]
    public async Task Refuses_an_image_that_lies(ImageRefusedReason reason, Action<StoreFixture, TestImage> lie)
    {
        using var fixture = new StoreFixture();
        var image = new TestImage(Packing.Gzip, new TarBuilder().File("a").File("b").Add('0', "zeros", new byte[4 << 20]).ToArray());
        lie(fixture, image);
        image.WriteLayout(fixture.Layout);
        await AssertRefusedAsync(fixture, reason);
    }

    [TestCase(Packing.None)]
    [TestCase(Packing.Gzip)]
    [TestCase(Packing.Zstd)]
    public async Task Refuses_a_blob_with_a_flipped_bit_and_one_cut_short(Packing packing)
    {
        using var fixture = new StoreFixture();
        var image = new TestImage(packing, new TarBuilder().Add('0', "f", [.. Enumerable.Range(0, 50_000).Select(i => (byte)(i * 31 >> 3))]).ToArray());
        image.WriteLayout(fixture.Layout);
        var blob = Path.Combine(fixture.Layout, "blobs", "sha256", Digest.Hex(Digest.Of(image.Layers[0])));
        var bytes = File.ReadAllBytes(blob);
        bytes[bytes.Length / 2] ^= 4;
        File.WriteAllBytes(blob, bytes);
        await AssertRefusedAsync(fixture, ImageRefusedReason.DigestMismatch);
        File.WriteAllBytes(blob, bytes[..^10]);
        await AssertRefusedAsync(fixture, ImageRefusedReason.SizeMismatch);
    }

    [Test]
    public async Task Leaves_out_attributes_that_steer_overlayfs()
    {
        using var fixture = new StoreFixture();
        new TestImage(Packing.None, new TarBuilder()
            .Pax(("SCHILY.xattr.trusted.overlay.redirect", "/../../sentinel"), ("SCHILY.xattr.user.fine", "yes")).Directory("d").ToArray()).WriteLayout(fixture.Layout);
        var image = await fixture.PullLayoutAsync();
        var attributes = await StoreFixture.RunAsync("getfattr", "-d", "-m", "-", "--absolute-names", Path.Combine(image.LayerDirectories[0], "d"));
        Assert.That(attributes, Does.Contain("user.fine=\"yes\"").And.Not.Contain("overlay"));
    }

    [Test]
    public void Stops_before_the_disk_is_full_and_gives_it_back()
    {
        using var fixture = new StoreFixture();
        fixture.Options = fixture.Options with { Limits = fixture.Options.Limits with { MinFreeBytes = long.MaxValue / 2 } };
        new TestImage(Packing.Gzip, new TarBuilder().File("a").ToArray()).WriteLayout(fixture.Layout);
        Assert.That(async () => await fixture.PullLayoutAsync(), Throws.TypeOf<ImagePullException>().With.Message.Contains("free"));
        Assert.That(fixture.Stored(), Is.Empty);
    }

    private static async Task AssertRefusedAsync(StoreFixture fixture, ImageRefusedReason reason)
    {
        var before = await StoreFixture.DescribeAsync(fixture.Sentinel);
        var refused = await Assert.ThrowsAsync<ImageRefusedException>(async () => await fixture.PullLayoutAsync());
        Assert.That(refused!.Reason, Is.EqualTo(reason), refused.Message);
        Assert.That(await StoreFixture.DescribeAsync(fixture.Sentinel), Is.EqualTo(before), "the sentinel tree beside the store");
        Assert.That(fixture.Stored(), Is.Empty, "what is left on disk");
    }

    private static TestCaseData Attack(string name, ImageRefusedReason reason, Func<TarBuilder, TarBuilder> attack) =>
        new TestCaseData(reason, attack).SetName($"Refuses_a_layer_with_{name}");

    private static TestCaseData Lie(string name, ImageRefusedReason reason, Action<StoreFixture, TestImage> lie) =>
        new TestCaseData(reason, lie).SetName($"Refuses_an_image_that_lies_about_{name}");
}
