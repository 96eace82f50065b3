using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Disks;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>Artifacts, as <c>oras push</c> makes them: layers that are files.</summary>
public sealed class ArtifactTests
{
    private const string Qcow2 = "application/vnd.qemu.qcow2";
    private static readonly PullTerms Machine = new() { TakesArtifacts = true };

    private StoreFixture fixture = null!;

    [SetUp]
    public void SetUp() => fixture = new StoreFixture();

    [TearDown]
    public void TearDown() => fixture.Dispose();

    [TestCase(Packing.None, "")]
    [TestCase(Packing.Gzip, "+gzip")]
    [TestCase(Packing.Zstd, "+zstd")]
    public async Task Each_layer_is_a_file_by_its_title(object packing, string suffix)
    {
        byte[] disk = [.. "a disk"u8, .. new byte[200_000], .. "its end"u8];
        var artifact = Artifact((Packing)packing, (disk, "disk.qcow2", Qcow2 + suffix), ("a kernel"u8.ToArray(), "vmlinuz", "application/octet-stream" + suffix));
        artifact.WriteLayout(fixture.Layout);
        using var store = fixture.Open();
        var image = await PullAsync(store, Machine);
        Assert.That(image.IsArtifact);
        Assert.That(File.ReadAllBytes(ImageFiles.Find(image, "/disk.qcow2")), Is.EqualTo(disk));
        Assert.That(File.ReadAllText(ImageFiles.Find(image, "/vmlinuz")), Is.EqualTo("a kernel"));
        Assert.That(() => ImageFiles.FindDisk(image), Throws.TypeOf<DiskRefusedException>().With.Message.Contains("2 files (disk.qcow2, vmlinuz)"), "which of them");
    }

    [Test]
    public async Task The_only_file_is_the_disk_and_needs_no_title()
    {
        var artifact = Artifact(Packing.None, ("a disk"u8.ToArray(), null, Qcow2));
        artifact.WriteLayout(fixture.Layout);
        using var store = fixture.Open();
        Assert.That(File.ReadAllText(ImageFiles.FindDisk(await PullAsync(store, Machine))), Is.EqualTo("a disk"));
    }

    [Test]
    public async Task Bytes_that_look_packed_stay_as_they_are_unless_the_media_type_says_so()
    {
        byte[] looks = [0x1F, 0x8B, 8, 0, 1, 2, 3];
        Artifact(Packing.None, (looks, "d", "application/octet-stream")).WriteLayout(fixture.Layout);
        using var store = fixture.Open();
        Assert.That(File.ReadAllBytes(ImageFiles.FindDisk(await PullAsync(store, Machine))), Is.EqualTo(looks));
    }

    [Test]
    public async Task No_container_gets_one_even_when_it_is_here()
    {
        Artifact(Packing.None, ("a disk"u8.ToArray(), "d", Qcow2)).WriteLayout(fixture.Layout);
        using var store = fixture.Open();
        await RefusedAsync();
        Assert.That(fixture.Stored(), Has.None.Contains("layers/"), "no layer is fetched for it");
        await PullAsync(store, Machine);
        await RefusedAsync();
        Assert.That((await PullAsync(store, Machine)).IsArtifact, "the refusal binds containers alone");

        async Task RefusedAsync()
        {
            await Assert.ThatAsync(() => PullAsync(store, PullTerms.None), Throws.TypeOf<ImageRefusedException>().With.Message.Contains("VirtualMachine"));
        }
    }

    [Test]
    public async Task Is_listed_kept_while_it_is_used_and_collected_after()
    {
        Artifact(Packing.None, (new byte[5000], "d", Qcow2)).WriteLayout(fixture.Layout);
        fixture.Options = fixture.Options with { Garbage = new ImageGarbagePolicy { MinAge = TimeSpan.Zero, MaxUnusedAge = TimeSpan.Zero } };
        using var store = fixture.Open();
        var image = await PullAsync(store, Machine);
        Assert.That(store.List(Enumerable.Empty<string>().ToLookup(_ => "")).Items.Single().UniqueBytes, Is.GreaterThan(5000));
        await store.CollectGarbageAsync(new HashSet<string> { image.ManifestDigest }, default);
        Assert.That(File.Exists(ImageFiles.FindDisk(image)));
        await store.CollectGarbageAsync(new HashSet<string>(), default);
        Assert.That(fixture.Stored(), Is.Empty);
    }

    [TestCase("../victim")]
    [TestCase("a/b")]
    [TestCase("..")]
    [TestCase("")]
    [TestCase("a\nb")]
    public async Task A_title_that_is_no_file_name_is_refused(string title)
    {
        Artifact(Packing.None, ("x"u8.ToArray(), title, Qcow2)).WriteLayout(fixture.Layout);
        using var store = fixture.Open();
        await AssertRefusedAsync(store, "no plain file name");
    }

    [Test]
    public async Task Two_files_of_one_name_and_packed_directories_are_refused()
    {
        using var store = fixture.Open();
        Artifact(Packing.None, ("x"u8.ToArray(), "d", Qcow2), ("y"u8.ToArray(), "d", Qcow2)).WriteLayout(fixture.Layout);
        await AssertRefusedAsync(store, "two files");
        Artifact(Packing.None, ("x"u8.ToArray(), "d", "application/vnd.oci.image.layer.v1.tar+gzip")).WriteLayout(fixture.Layout);
        await AssertRefusedAsync(store, "packed directory");
    }

    [Test]
    public async Task Other_bytes_than_the_digest_names_are_refused()
    {
        var artifact = Artifact(Packing.None, ("x"u8.ToArray(), "d", Qcow2));
        artifact.WriteLayout(fixture.Layout);
        File.WriteAllText(Path.Combine(fixture.Layout, "blobs", "sha256", Digest.Hex(Digest.Of(artifact.Layers[0]))), "y");
        using var store = fixture.Open();
        await AssertRefusedAsync(store, "");
        Assert.That(fixture.Stored(), Is.Empty);
    }

    [Test]
    public async Task Comes_from_a_real_registry()
    {
        using var registry = new DockerRegistry(fixture.Root);
        await registry.StartAsync();
        byte[] disk = [.. new byte[100_000], .. "its end"u8];
        await registry.PushAsync(Artifact(Packing.None, (disk, "disk.img", "application/octet-stream")), "disks/one", "1");
        fixture.Options = fixture.Options with { Registries = new Dictionary<string, RegistryAccess> { ["registry.test"] = new() { Url = registry.Url } } };
        using var store = fixture.Open();
        var image = await store.EnsureAsync(StoreFixture.Reference("registry.test/disks/one:1"), ImagePullPolicy.IfNotPresent, Machine, default);
        Assert.That(File.ReadAllBytes(ImageFiles.FindDisk(image)), Is.EqualTo(disk));
    }

    private static TestImage Artifact(Packing packing, params (byte[] Content, string? Title, string Type)[] files)
    {
        var artifact = new TestImage(packing, [.. files.Select(file => file.Content)])
        {
            Tamper = manifest =>
            {
                manifest["artifactType"] = "application/vnd.edgevirt.disk";
                manifest["config"]!["mediaType"] = "application/vnd.oci.empty.v1+json";
                for (var i = 0; i < files.Length; i++)
                {
                    if (files[i].Title is { } title)
                    {
                        manifest["layers"]![i]!["annotations"] = new JsonObject { ["org.opencontainers.image.title"] = title };
                    }
                }
            },
        };
        for (var i = 0; i < files.Length; i++)
        {
            artifact.LayerTypes[i] = files[i].Type;
        }

        return artifact;
    }

    private Task<StoredImage> PullAsync(ImageStore store, PullTerms terms) =>
        store.EnsureAsync(StoreFixture.Reference($"oci:{fixture.Layout}:v1"), ImagePullPolicy.Always, terms, default);

    private Task AssertRefusedAsync(ImageStore store, string why) =>
        Assert.ThatAsync(() => PullAsync(store, Machine), Throws.TypeOf<ImageRefusedException>().With.Message.Contains(why));
}
