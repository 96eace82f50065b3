using System.Formats.Tar;
using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Control;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>Archives as skopeo writes them, and archives that nobody should.</summary>
[Category("root")]
internal sealed class ImportTests
{
    private const string Name = "registry.test/app:1";

    private StoreFixture _fixture = null!;
    private TestImage _image = null!;

    [SetUp]
    public void Prepare()
    {
        _fixture = new StoreFixture();
        _image = RegistryPullTests.Sample(Packing.Gzip, 1000);
        _image.WriteLayout(_fixture.Layout);
    }

    [TearDown]
    public void CleanUp() => _fixture.Dispose();

    [TestCase("directory")]
    [TestCase("oci-archive")]
    [TestCase("docker-archive")]
    public async Task Takes_in_what_skopeo_writes(string kind)
    {
        var path = await WriteAsync(kind);
        var digests = await ImportAsync(path, Name);
        var stored = await FindAsync(Name);
        Assert.That(digests, Is.EqualTo(new[] { stored!.ManifestDigest }));
        Assert.That(File.ReadAllText(Path.Combine(stored.LayerDirectories[1], "etc", "name")), Is.EqualTo("upper"));
        Assert.That(stored.Config.Entrypoint, Is.EqualTo(new[] { "/bin/app" }));
        if (kind != "docker-archive")
        {
            Assert.That(stored.ManifestDigest, Is.EqualTo(Digest.Of(_image.Manifest)));
        }
    }

    [TestCase("directory")]
    [TestCase("oci-archive")]
    public async Task An_image_that_is_imported_needs_no_registry(string kind)
    {
        await ImportAsync(await WriteAsync(kind), Name);
        var stored = await _fixture.Open().EnsureAsync(StoreFixture.Reference(Name), ImagePullPolicy.IfNotPresent, CancellationToken.None);
        Assert.That(stored.LayerDirectories, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task Names_come_from_RepoTags_and_docker_leaves_out_its_own_registry()
    {
        await ImportAsync(await WriteAsync("docker-archive", tag: ":nginx:1.27"), name: "");
        Assert.That(await FindAsync("docker.io/library/nginx:1.27"), Is.Not.Null);
    }

    [Test]
    public async Task Names_come_from_a_layouts_annotations()
    {
        Annotate("org.opencontainers.image.ref.name", "registry.test/named:2");
        await ImportAsync(_fixture.Layout, name: "");
        Assert.That(await FindAsync("registry.test/named:2"), Is.Not.Null);
    }

    [Test]
    public void A_bare_tag_is_no_name() =>
        Assert.That(() => ImportAsync(_fixture.Layout, name: ""), Refused(CloseReason.Failed, "--name"));

    [Test]
    public void A_digest_in_the_name_binds() =>
        Assert.That(() => ImportAsync(_fixture.Layout, "registry.test/app@sha256:" + new string('1', 64)), Refused(CloseReason.Invalid, "is to be imported"));

    [TestCase("layer", "DigestMismatch")]
    [TestCase("config", "config")]
    [TestCase("manifest", "another digest")]
    [TestCase("missing layer", "copy the whole")]
    [TestCase("diff id", "its config says")]
    [TestCase("device", "device node")]
    public void What_is_not_what_it_says_is_refused_and_leaves_nothing(string what, string _)
    {
        Spoil(what);
        Assert.That(() => ImportAsync(_fixture.Layout, Name), Throws.TypeOf<ChannelRefusedException>());
        Assert.That(_fixture.Stored(), Is.Empty);
    }

    [TestCase("layer")]
    [TestCase("diff id")]
    [TestCase("device")]
    public async Task The_same_holds_in_a_tar(string what)
    {
        Spoil(what);
        var tar = Path.Combine(_fixture.Root, "layout.tar");
        await TarFile.CreateFromDirectoryAsync(_fixture.Layout, tar, includeBaseDirectory: false);
        Assert.That(() => ImportAsync(tar, Name), Throws.TypeOf<ChannelRefusedException>());
        Assert.That(_fixture.Stored(), Is.Empty);
    }

    [Test]
    public void One_hostile_image_of_several_refuses_them_all()
    {
        Annotate("org.opencontainers.image.ref.name", "registry.test/good:1");
        var index = JsonNode.Parse(File.ReadAllText(Path.Combine(_fixture.Layout, "index.json")))!["manifests"]![0]!.DeepClone();
        Spoil("device");
        Annotate("org.opencontainers.image.ref.name", "registry.test/bad:1");
        var both = JsonNode.Parse(File.ReadAllText(Path.Combine(_fixture.Layout, "index.json")))!;
        both["manifests"]!.AsArray().Insert(0, index);
        File.WriteAllText(Path.Combine(_fixture.Layout, "index.json"), both.ToJsonString());
        Assert.That(() => ImportAsync(_fixture.Layout, name: ""), Refused(CloseReason.Invalid, "device node"));
        Assert.That(_fixture.Stored(), Is.Empty);
    }

    [Test]
    public async Task A_docker_archive_whose_names_lie_is_refused()
    {
        var good = await WriteAsync("docker-archive");
        var bad = Path.Combine(_fixture.Root, "bad.tar");
        await RewriteAsync(good, bad, (name, content) => name.EndsWith(".json", StringComparison.Ordinal) && name != "manifest.json" && name.Length > 64 ? [.. content, (byte)' '] : content);
        Assert.That(() => ImportAsync(bad, Name), Refused(CloseReason.Invalid, "has the digest"));

        await RewriteAsync(good, bad, (name, content) => name == "manifest.json" ? """[{"Config":"../../etc/shadow","RepoTags":null,"Layers":["/etc/passwd"]}]"""u8.ToArray() : content);
        Assert.That(() => ImportAsync(bad, Name), Refused(CloseReason.Invalid, "not in the archive"));
        Assert.That(_fixture.Stored(), Is.Empty);
    }

    [TestCase("relative/path", "no absolute path")]
    [TestCase("/nowhere/image.tar", "cannot be read")]
    [TestCase("/dev/zero", "no regular file")]
    [TestCase("fifo", "no regular file")]
    [TestCase("link", "symbolic link")]
    [TestCase("text", "damaged")]
    [TestCase("gzip", "decompress it first")]
    [TestCase("empty directory", "neither")]
    public async Task What_is_no_archive_is_named(string what, string says)
    {
        var path = Path.Combine(_fixture.Root, what);
        switch (what)
        {
            case "fifo": await StoreFixture.RunAsync("mkfifo", path); break;
            case "link": File.CreateSymbolicLink(path, "/etc/passwd"); break;
            case "text": File.WriteAllText(path, new string('x', 2000)); break;
            case "gzip": File.WriteAllBytes(path, [0x1f, 0x8b, 8, 0, 0, 0]); break;
            case "empty directory": Directory.CreateDirectory(path); break;
            default: path = what; break;
        }

        Assert.That(() => ImportAsync(path, Name), Throws.TypeOf<ChannelRefusedException>().With.Message.Contains(says));
        Assert.That(_fixture.Stored(), Is.Empty);
    }

    [Test]
    public async Task The_list_says_what_is_shared_and_who_uses_it()
    {
        await ImportAsync(_fixture.Layout, Name);
        RegistryPullTests.Sample(Packing.Gzip, 1000, upper: "other").WriteLayout(Path.Combine(_fixture.Root, "second"));
        var second = (await ImportAsync(Path.Combine(_fixture.Root, "second"), "registry.test/second:1"))[0];
        var list = _fixture.Open().List(new[] { ("web", second) }.ToLookup(use => use.Item2, use => use.Item1));

        Assert.That(list.Items.Select(image => image.References.Single()), Is.EqualTo(new[] { Name, "registry.test/second:1" }));
        Assert.That(list.Items[1].UsedBy, Is.EqualTo(new[] { "web" }));
        Assert.That(list.Items[0].UsedBy, Is.Empty);
        Assert.That(list.Items[0].SharedBytes, Is.EqualTo(list.Items[1].SharedBytes).And.GreaterThan(1000), "the layer with the noise");
        Assert.That(list.TotalBytes, Is.EqualTo(list.Items.Sum(image => image.UniqueBytes) + list.Items[0].SharedBytes));
    }

    private static NUnit.Framework.Constraints.ContainsConstraint Refused(CloseReason reason, string says) =>
        Throws.TypeOf<ChannelRefusedException>().With.Property("Reason").EqualTo(reason).And.Message.Contains(says);

    private async Task<IReadOnlyList<string>> ImportAsync(string path, string name)
    {
        using var store = _fixture.Open();
        return await ImageVerbSources.ImportAsync(store, new ImageImportRequest { Path = path, Name = name }, CancellationToken.None);
    }

    private Task<StoredImage?> FindAsync(string name) => _fixture.Open().FindAsync(StoreFixture.Reference(name), CancellationToken.None);

    private async Task<string> WriteAsync(string kind, string tag = "")
    {
        if (kind == "directory")
        {
            return _fixture.Layout;
        }

        var path = Path.Combine(_fixture.Root, kind + ".tar");
        await StoreFixture.RunAsync("skopeo", "--insecure-policy", "copy", $"oci:{_fixture.Layout}:v1", $"{kind}:{path}{tag}");
        return path;
    }

    private void Annotate(string key, string value)
    {
        var path = Path.Combine(_fixture.Layout, "index.json");
        var index = JsonNode.Parse(File.ReadAllText(path))!;
        index["manifests"]![0]!["annotations"] = new JsonObject { [key] = value };
        File.WriteAllText(path, index.ToJsonString());
    }

    private void Spoil(string what)
    {
        var blobs = Path.Combine(_fixture.Layout, "blobs", "sha256");
        string Blob(byte[] content) => Path.Combine(blobs, Digest.Hex(Digest.Of(content)));
        switch (what)
        {
            case "layer": Flip(Blob(_image.Layers[1])); break;
            case "config": Flip(Blob(_image.Config)); break;
            case "manifest": Flip(Blob(_image.Manifest)); break;
            case "missing layer": File.Delete(Blob(_image.Layers[1])); break;
            case "diff id":
                _image.DiffIds[1] = "sha256:" + new string('2', 64);
                _image.WriteLayout(_fixture.Layout);
                break;
            default:
                new TestImage(Packing.Gzip, new TarBuilder().File("a").ToArray(), new TarBuilder().Add('3', "dev/mem").ToArray()).WriteLayout(_fixture.Layout);
                break;
        }
    }

    private static void Flip(string path)
    {
        var bytes = File.ReadAllBytes(path);
        bytes[^3] ^= 1;
        File.WriteAllBytes(path, bytes);
    }

    private static async Task RewriteAsync(string from, string to, Func<string, byte[], byte[]> change)
    {
        await using var source = File.OpenRead(from);
        await using var target = File.Create(to);
        await using var reader = new TarReader(source);
        await using var writer = new TarWriter(target, TarEntryFormat.Ustar);
        while (await reader.GetNextEntryAsync(copyData: true) is { } entry)
        {
            if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile)
            {
                using var content = new MemoryStream();
                await (entry.DataStream ?? Stream.Null).CopyToAsync(content);
                await writer.WriteEntryAsync(new UstarTarEntry(TarEntryType.RegularFile, entry.Name) { DataStream = new MemoryStream(change(entry.Name, content.ToArray())) });
            }
        }
    }
}
