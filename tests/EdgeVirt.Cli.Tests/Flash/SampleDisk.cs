using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Boards;
using ZstdSharp;

namespace EdgeVirt.Cli.Tests.Flash;

/// <summary>An image with data here and there, and the files that lie beside one.</summary>
internal sealed class SampleDisk
{
    public const int Block = 4096;
    private readonly List<(int First, int Last)> ranges = [];

    /// <param name="blocks">Its size.</param>
    /// <param name="data">First and last block of each part that holds data.</param>
    public SampleDisk(int blocks, params (int First, int Last)[] data)
    {
        Bytes = new byte[blocks * Block];
        ranges.AddRange(data);
        var random = new Random(blocks);
        foreach (var (first, last) in data)
        {
            random.NextBytes(Bytes.AsSpan(first * Block, (last - first + 1) * Block));
        }
    }

    /// <summary>16 MiB; data at both ends, across the head's end, in one larger than a batch, and in two with a small hole between.</summary>
    public static SampleDisk Usual() => new(4096, (0, 3), (250, 300), (302, 303), (1024, 2300), (3000, 3000), (4090, 4095));

    public byte[] Bytes { get; }

    public string Map => MapText();

    /// <summary>Writes image, map and, with a key, a signed manifest.</summary>
    /// <returns>The image's path.</returns>
    public string Save(string directory, bool compressed = true, bool map = true, ECDsa? key = null, Func<ImageManifest, ImageManifest>? change = null)
    {
        var raw = Path.Combine(directory, "node.img");
        var path = compressed ? raw + ".zst" : raw;
        using (var compressor = new Compressor(3))
        {
            File.WriteAllBytes(path, compressed ? compressor.Wrap(Bytes).ToArray() : Bytes);
        }

        if (map)
        {
            File.WriteAllText(raw + ".bmap", Map);
        }

        if (key is not null)
        {
            var manifest = Manifest(path);
            var json = JsonSerializer.SerializeToUtf8Bytes(change?.Invoke(manifest) ?? manifest, ContractsJson.Default.ImageManifest);
            var signature = key.SignData(json, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
            File.WriteAllBytes(Path.Combine(directory, "node.json"), json);
            File.WriteAllText(Path.Combine(directory, "node.json.sig"), Convert.ToBase64String(signature) + "\n");
        }

        return path;
    }

    /// <summary>Whether a card holds the image: the parts with data, and zeros in its first MiB besides.</summary>
    public void AssertOn(ReadOnlySpan<byte> card)
    {
        Assert.That(card[..(1 << 20)].SequenceEqual(Bytes.AsSpan(0, 1 << 20)), Is.True, "the first MiB");
        foreach (var (first, last) in ranges)
        {
            var part = (first * Block)..((last + 1) * Block);
            Assert.That(card[part].SequenceEqual(Bytes.AsSpan(part)), Is.True, $"blocks {first} to {last}");
        }
    }

    private ImageManifest Manifest(string path) => new()
    {
        Board = "qemu-arm64",
        Version = "13.1+20261127.0",
        Variant = "production",
        Architecture = BoardArchitecture.Arm64,
        CreatedAt = CliRun.Now,
        ImageBytes = Bytes.Length,
        ImageSha256 = Sha256(Bytes),
        Compressed = new ImageFile("node.img.zst", new FileInfo(path).Length, Sha256(File.ReadAllBytes(path))),
        BlockMap = new ImageFile("node.img.bmap", Map.Length, Sha256(Encoding.UTF8.GetBytes(Map))),
        Sbom = new ImageFile("node.spdx.json", 0, new string('0', 64)),
        MinimumCardBytes = Bytes.Length,
        RootHash = new string('0', 64),
    };

    private static string Sha256(ReadOnlySpan<byte> bytes) => Convert.ToHexString(SHA256.HashData(bytes)).ToLowerInvariant();

    private string MapText()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"""
            <?xml version="1.0" ?>
            <bmap version="2.0">
                <ImageSize> {Bytes.Length} </ImageSize>
                <BlockSize> {Block} </BlockSize>
                <BlocksCount> {Bytes.Length / Block} </BlocksCount>
                <MappedBlocksCount> {ranges.Sum(range => range.Last - range.First + 1)} </MappedBlocksCount>
                <ChecksumType> sha256 </ChecksumType>
                <BmapFileChecksum> {new string('0', 64)} </BmapFileChecksum>
                <BlockMap>

            """);
        foreach (var (first, last) in ranges)
        {
            var blocks = first == last ? $"{first}" : $"{first}-{last}";
            text.Append(CultureInfo.InvariantCulture, $"        <Range chksum=\"{Sha256(Bytes.AsSpan(first * Block, (last - first + 1) * Block))}\"> {blocks} </Range>\n");
        }

        text.Append("    </BlockMap>\n</bmap>\n");
        return Sign(text.ToString());
    }

    /// <summary>Puts a map's checksum of itself in, as after a change.</summary>
    public static string Sign(string map) => map.Replace(new string('0', 64), Sha256(Encoding.UTF8.GetBytes(map)), StringComparison.Ordinal);
}
