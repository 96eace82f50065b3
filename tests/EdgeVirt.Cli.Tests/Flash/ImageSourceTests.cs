using System.Security.Cryptography;
using EdgeVirt.Cli.Flash;
using EdgeVirt.Testing;

namespace EdgeVirt.Cli.Tests.Flash;

public sealed class ImageSourceTests
{
    private TempDirectory directory = null!;
    private ECDsa key = null!;
    private string keyFile = null!;

    [SetUp]
    public void MakeKey()
    {
        directory = new TempDirectory();
        key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        keyFile = directory.Combine("images.pem");
        File.WriteAllText(keyFile, key.ExportSubjectPublicKeyInfoPem());
    }

    [TearDown]
    public void Remove()
    {
        key.Dispose();
        directory.Dispose();
    }

    [Test]
    public void A_signed_image_is_known_to_be_from_the_owner_of_the_key()
    {
        var image = ImageSource.Open(SampleDisk.Usual().Save(directory.Path, key: key), null, keyFile, requireSignature: true);
        Assert.That((image.Origin, image.HasMap, image.Manifest?.Board), Is.EqualTo((ImageOrigin.Signed, true, "qemu-arm64")));
        Assert.That(image.Remarks, Is.Empty);
    }

    [Test]
    public void Without_a_key_or_a_signature_it_says_that_nothing_is_proven()
    {
        var path = SampleDisk.Usual().Save(directory.Path, key: key);
        Assert.That(ImageSource.Open(path, null, null, false).Remarks.Single(), Does.Contain("not proven").And.Contain("--key"));
        File.Delete(directory.Combine("node.json.sig"));
        Assert.That(ImageSource.Open(path, null, keyFile, false).Remarks.Single(), Does.Contain("not proven").And.Contain("node.json.sig"));
        Assert.That(Refused(path, required: true), Does.Contain("not signed"));
        File.Delete(directory.Combine("node.json"));
        Assert.That(ImageSource.Open(path, null, keyFile, false).Remarks.Single(), Does.Contain("not proven").And.Contain("node.json"));
        Assert.That(Refused(path, required: true), Does.Contain("not signed"));
        File.Delete(directory.Combine("node.img.bmap"));
        Assert.That(ImageSource.Open(path, null, null, false).Remarks, Has.Some.Contains("whole"));
    }

    [Test]
    public void A_wrong_signature_is_refused_always()
    {
        var path = SampleDisk.Usual().Save(directory.Path, key: key);
        var manifest = directory.Combine("node.json");
        File.WriteAllText(manifest, File.ReadAllText(manifest).Replace("production", "debug", StringComparison.Ordinal));
        Assert.That(Refused(path), Does.Contain("signature").And.Contain("wrong"));
        File.WriteAllText(manifest + ".sig", "no base64!");
        Assert.That(Refused(path), Does.Contain("signature").And.Contain("wrong"));
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        SampleDisk.Usual().Save(directory.Path, key: other);
        Assert.That(Refused(path), Does.Contain("signature").And.Contain("wrong"));
    }

    [Test]
    public void A_block_map_that_the_manifest_does_not_name_is_refused()
    {
        var path = SampleDisk.Usual().Save(directory.Path, key: key);
        File.AppendAllText(directory.Combine("node.img.bmap"), "\n");
        Assert.That(Refused(path), Does.Contain("not the one that the manifest names"));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Without_a_map_the_manifest_proves_the_image(bool damaged)
    {
        var path = SampleDisk.Usual().Save(directory.Path, map: false, key: key, change: manifest => damaged ? manifest with { ImageSha256 = new string('1', 64) } : manifest);
        var image = ImageSource.Open(path, null, keyFile, true);
        var card = new MemoryTarget("a", 32 << 20);
        var run = new TargetRun(card, 0, TimeProvider.System);
        await new Flasher(image, [run], null).RunAsync(CancellationToken.None);
        Assert.That(run.Outcome, Is.EqualTo(damaged ? FlashOutcome.ImageDamaged : FlashOutcome.Verified));
        Assert.That(card.IsBlank, Is.EqualTo(damaged));
    }

    [TestCase("node.img.zst", "hello, no zstd", "not compressed by zstd")]
    [TestCase("node.img", "\u001f\u008b and so on", "gzip")]
    [TestCase("node.img", "QFI\u00fb", "qcow2")]
    [TestCase("node.img", "", "nothing at all")]
    public void What_is_no_image_is_named(string name, string content, string what)
    {
        File.WriteAllBytes(directory.Combine(name), [.. content.Select(c => (byte)c)]);
        Assert.That(Refused(directory.Combine(name)), Does.Contain(what));
    }

    private string Refused(string path, bool required = false)
    {
        var fault = Assert.Throws<CliException>(() => ImageSource.Open(path, null, keyFile, required));
        Assert.That(fault.ExitCode, Is.EqualTo(ExitCodes.BadImage));
        Assert.That(fault.Hint, Is.Not.Empty);
        return fault.Message;
    }
}
