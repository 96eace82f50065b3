using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using EdgeVirt.Node.Containers.Images;
using ZstdSharp;

namespace EdgeVirt.Node.Tests.Containers.Images;

internal enum Packing
{
    None,
    Gzip,
    Zstd,
}

/// <summary>An image in memory, every part of which a test can make wrong before it is written.</summary>
internal sealed class TestImage
{
    public TestImage(Packing packing, params byte[][] tars)
    {
        foreach (var tar in tars)
        {
            Layers.Add(Pack(tar, packing));
            DiffIds.Add(Digest.Of(tar));
            LayerTypes.Add("application/vnd.oci.image.layer.v1.tar" + packing switch { Packing.Gzip => "+gzip", Packing.Zstd => "+zstd", _ => "" });
        }
    }

    public List<byte[]> Layers { get; } = [];

    public List<string> LayerTypes { get; } = [];

    public List<string> DiffIds { get; } = [];

    public string Architecture { get; set; } = ImagePlatform.OfThisNode.Architecture;

    public Action<JsonObject> Tamper { get; set; } = _ => { };

    public byte[] Config => Encoding.UTF8.GetBytes(new JsonObject
    {
        ["architecture"] = Architecture,
        ["os"] = "linux",
        ["config"] = new JsonObject
        {
            ["Entrypoint"] = new JsonArray("/bin/app"),
            ["Cmd"] = new JsonArray("--serve"),
            ["Env"] = new JsonArray("PATH=/bin"),
            ["WorkingDir"] = "/srv",
            ["User"] = "33:33",
            ["StopSignal"] = "SIGQUIT",
        },
        ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = new JsonArray([.. DiffIds.Select(id => (JsonNode)id)]) },
    }.ToJsonString());

    public byte[] Manifest
    {
        get
        {
            var manifest = new JsonObject
            {
                ["schemaVersion"] = 2,
                ["mediaType"] = "application/vnd.oci.image.manifest.v1+json",
                ["config"] = Describe(Config, "application/vnd.oci.image.config.v1+json"),
                ["layers"] = new JsonArray([.. Layers.Select((layer, index) => (JsonNode)Describe(layer, LayerTypes[index]))]),
            };
            Tamper(manifest);
            return Encoding.UTF8.GetBytes(manifest.ToJsonString());
        }
    }

    public static JsonObject Describe(byte[] content, string type) =>
        new() { ["mediaType"] = type, ["digest"] = Digest.Of(content), ["size"] = content.Length };

    /// <summary>Writes it as an OCI layout with one tag.</summary>
    public void WriteLayout(string directory, string tag = "v1")
    {
        var blobs = Path.Combine(directory, "blobs", "sha256");
        Directory.CreateDirectory(blobs);
        foreach (var blob in (byte[][])[.. Layers, Config, Manifest])
        {
            File.WriteAllBytes(Path.Combine(blobs, Digest.Hex(Digest.Of(blob))), blob);
        }

        var entry = Describe(Manifest, "application/vnd.oci.image.manifest.v1+json");
        entry["annotations"] = new JsonObject { ["org.opencontainers.image.ref.name"] = tag };
        File.WriteAllText(Path.Combine(directory, "index.json"), new JsonObject { ["schemaVersion"] = 2, ["manifests"] = new JsonArray(entry) }.ToJsonString());
        File.WriteAllText(Path.Combine(directory, "oci-layout"), """{"imageLayoutVersion":"1.0.0"}""");
    }

    private static byte[] Pack(byte[] tar, Packing packing)
    {
        using var packed = new MemoryStream();
        using (Stream writer = packing switch
        {
            Packing.Gzip => new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true),
            Packing.Zstd => new CompressionStream(packed, leaveOpen: true),
            _ => new BufferedStream(new Unclosed(packed)),
        })
        {
            writer.Write(tar);
        }

        return packed.ToArray();
    }

    private sealed class Unclosed(Stream inner) : MemoryStream
    {
        public override void Write(byte[] buffer, int offset, int count) => inner.Write(buffer, offset, count);

        public override void Write(ReadOnlySpan<byte> buffer) => inner.Write(buffer);
    }
}
