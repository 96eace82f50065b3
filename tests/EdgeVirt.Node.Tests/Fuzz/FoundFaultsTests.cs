using System.Text;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Tests.Containers.Images;

namespace EdgeVirt.Node.Tests.Fuzz;

/// <summary>What damaged input once did, each as small as it gets.</summary>
[Category("root")]
internal sealed class FoundFaultsTests
{
    [Test]
    public void A_layer_that_is_not_compressed_is_refused_for_what_is_wrong_with_it() =>
        AssertRefused(new TarBuilder().File("../x"), ImageRefusedReason.EscapingPath);

    [Test]
    public void An_attribute_that_no_file_system_takes_refuses_the_layer() =>
        AssertRefused(new TarBuilder().Pax(("SCHILY.xattr.user.note", "x")).Symlink("link", "target"), ImageRefusedReason.UnsupportedEntry);

    [Test]
    public void Global_pax_records_do_not_pile_up_in_memory()
    {
        var tar = new TarBuilder();
        foreach (var key in (string[])["a", "b", "c"])
        {
            var body = $" {key}={new string('x', 600_000)}\n";
            tar.Add('g', "global", Encoding.UTF8.GetBytes($"{body.Length + 6}{body}"));
        }

        AssertRefused(tar.File("f"), ImageRefusedReason.DamagedArchive);
    }

    [TestCase("cBearer realm=\"https://auth.local/\",service=\"a\",service=\"b\"\n\n{\"token\":\"abc\"}")]
    [TestCase("cBearer realm=\"https://auth.local/\"\n\n{\"token\":\"a\\r\\nX-Other: b\"}")]
    [TestCase("cBearer realm=\"https://auth.local/\"\n\n{\"token\":\"\"}")]
    public void A_challenge_that_repeats_itself_or_a_token_with_a_line_end_is_taken_or_refused(string input)
    {
        using var target = new HeadersTarget();
        Assert.That(() => target.Take(Encoding.Latin1.GetBytes(input)), Throws.Nothing);
    }

    [TestCase("m{\"schemaVersion\":2,\"manifests\":[null]}")]
    [TestCase("c{\"config\":{\"Env\":[null]},\"rootfs\":{\"diff_ids\":[null]}}")]
    public void What_is_null_in_a_list_is_refused(string input)
    {
        using var target = new ManifestTarget();
        Assert.That(() => target.Take(Encoding.UTF8.GetBytes(input)), Throws.Nothing);
    }

    private static void AssertRefused(TarBuilder tar, ImageRefusedReason reason)
    {
        using var fixture = new StoreFixture();
        new TestImage(Packing.None, tar.ToArray()).WriteLayout(fixture.Layout);
        Assert.That(async () => await fixture.PullLayoutAsync(), Throws.TypeOf<ImageRefusedException>().With.Property(nameof(ImageRefusedException.Reason)).EqualTo(reason));
        Assert.That(fixture.Stored(), Is.Empty);
    }
}
