using System.Text;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Tests.Containers.Images;

namespace EdgeVirt.Node.Tests.Fuzz;

/// <summary>Manifests, indexes and configs: the first byte says whether it is a config.</summary>
internal sealed class ManifestTarget : FuzzTarget
{
    private static readonly ImageManifest s_manifest = new(new Descriptor { MediaType = "application/vnd.oci.image.config.v1+json" }, [new Descriptor(), new Descriptor()]);

    public ManifestTarget()
    {
        var image = new TestImage(Packing.Gzip, new TarBuilder().File("a").ToArray(), new TarBuilder().File("b").ToArray());
        var digest = Digest.Of(image.Manifest);
        Corpus =
        [
            [(byte)'m', .. image.Manifest],
            [(byte)'c', .. image.Config],
            [(byte)'m', .. Encoding.UTF8.GetBytes($$"""
                {"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[
                {"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{{digest}}","size":500,"platform":{"architecture":"amd64","os":"linux"} },
                {"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{{digest}}","size":501,"platform":{"architecture":"arm64","os":"linux","variant":"v8"},"annotations":{"a":"b"} }]}
                """)],
        ];
    }

    public override string Name => "manifest";

    public override IReadOnlyList<byte[]> Corpus { get; }

    public override void Take(byte[] input)
    {
        var json = input.AsSpan(Math.Min(1, input.Length));
        try
        {
            if (input is [(byte)'c', ..])
            {
                TakeConfig(json);
                return;
            }

            var document = ImageManifest.ReadDocument(json);
            if (document.Manifests is { } manifests)
            {
                Sound(ImageManifest.Choose(manifests, ImagePlatform.OfThisNode));
                return;
            }

            var manifest = ImageManifest.From(document);
            Sound(manifest.Config);
            Require(manifest.Layers.Count <= ImageManifest.MaxLayers, "there are too many layers");
            foreach (var layer in manifest.Layers)
            {
                Sound(layer);
                if (manifest.IsArtifact)
                {
                    Require(Path.GetFileName(ArtifactFile.NameOf(layer)) is { Length: > 0 } name && name == ArtifactFile.NameOf(layer), "a title leads elsewhere");
                }
            }
        }
        catch (ImageRefusedException)
        {
        }
    }

    private static void TakeConfig(ReadOnlySpan<byte> json)
    {
        foreach (var id in s_manifest.ChainOf(json))
        {
            Require(id is not null, "a chain id is null");
        }

        var config = ImageManifest.ToRunConfig(s_manifest.ReadConfig(json, ImagePlatform.OfThisNode));
        Require(config.Entrypoint.Concat(config.Cmd).Concat(config.Env).All(text => text is not null), "a word of the config is null");
    }

    private static void Sound(Descriptor descriptor) => Require(Digest.IsDigest(descriptor.Digest) && descriptor.Size >= 0, "a descriptor without digest or size gets through");
}
