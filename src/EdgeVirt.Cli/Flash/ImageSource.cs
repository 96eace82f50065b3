using System.Security.Cryptography;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Boards;

namespace EdgeVirt.Cli.Flash;

/// <summary>How far it is known who made an image.</summary>
internal enum ImageOrigin
{
    /// <summary>No manifest, or nothing to hold its signature against.</summary>
    NotProven,

    /// <summary>The manifest is signed by the key that was given.</summary>
    Signed,
}

/// <summary>An image and what lies beside it: <c>NAME.img</c> or <c>NAME.img.zst</c>, <c>NAME.img.bmap</c>, <c>NAME.json</c>, <c>NAME.json.sig</c>.</summary>
internal sealed record ImageSource
{
    private static ReadOnlySpan<byte> ZstdMagic => [0x28, 0xB5, 0x2F, 0xFD];

    public required string Path { get; init; }

    public required bool IsCompressed { get; init; }

    /// <summary>What is written; without a map beside the image all of it.</summary>
    public required BlockMap Map { get; init; }

    /// <summary>Whether the ranges' digests come from a map beside the image.</summary>
    public required bool HasMap { get; init; }

    public ImageManifest? Manifest { get; init; }

    public ImageOrigin Origin { get; init; }

    /// <summary>Sentences on what is not proven.</summary>
    public IReadOnlyList<string> Remarks { get; init; } = [];

    /// <summary>Finds the files, and checks all that can be checked before the image itself is read.</summary>
    /// <param name="path">The image.</param>
    /// <param name="mapPath">The map; null: beside the image, if it is there.</param>
    /// <param name="keyPath">PEM with the public key that signs images; null: none.</param>
    /// <param name="requireSignature">Refuse what is not signed by that key.</param>
    /// <exception cref="CliException">A file is missing or damaged, or a signature is wrong.</exception>
    public static ImageSource Open(string path, string? mapPath, string? keyPath, bool requireSignature)
    {
        if (!File.Exists(path))
        {
            throw new CliException(ExitCodes.NotFound, $"there is no image '{path}'.", "Give the path of a .img or .img.zst file.");
        }

        var isCompressed = IsZstd(path);
        var image = path.EndsWith(".zst", StringComparison.Ordinal) ? path[..^4] : path;
        var name = image.EndsWith(".img", StringComparison.Ordinal) ? image[..^4] : image;
        var (manifest, origin, remarks) = ReadManifest(name + ".json", keyPath, requireSignature);
        if (mapPath is not null && !File.Exists(mapPath))
        {
            throw new CliException(ExitCodes.NotFound, $"there is no block map '{mapPath}'.", "Give the path of a .bmap file, or leave --bmap away.");
        }

        var beside = mapPath ?? (File.Exists(image + ".bmap") ? image + ".bmap" : null);
        var map = beside is null ? null : ReadMap(beside, manifest);
        if (map is null && manifest is null)
        {
            remarks.Add("There is neither block map nor manifest beside the image: nothing proves that it is whole.");
        }

        if (map is not null && manifest is not null && map.ImageBytes != manifest.ImageBytes)
        {
            throw new CliException(ExitCodes.BadImage, $"'{beside}' and '{name}.json' speak of images of {map.ImageBytes} and {manifest.ImageBytes} bytes.", "They belong to different builds; get all files of one build.");
        }

        return new ImageSource
        {
            Path = path, IsCompressed = isCompressed, HasMap = map is not null, Manifest = manifest, Origin = origin, Remarks = remarks,
            Map = map ?? BlockMap.Whole(manifest?.ImageBytes ?? (isCompressed ? ImageReader.MeasureCompressed(path) : new FileInfo(path).Length)),
        };
    }

    private static bool IsZstd(string path)
    {
        Span<byte> head = stackalloc byte[6];
        using var file = File.OpenHandle(path);
        var count = RandomAccess.Read(file, head, 0);
        var other = head[..count] switch
        {
            [0x1F, 0x8B, ..] => "gzip",
            [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', ..] => "xz",
            [(byte)'B', (byte)'Z', (byte)'h', ..] => "bzip2",
            [(byte)'P', (byte)'K', 3, 4, ..] => "zip",
            [(byte)'Q', (byte)'F', (byte)'I', 0xFB, ..] => "qcow2",
            [] => "nothing at all",
            _ => null,
        };
        if (other is not null)
        {
            throw new CliException(ExitCodes.BadImage, $"'{path}' holds {other}; an image is raw, or compressed by zstd.", "Unpack it first, then give the .img file.");
        }

        var isZstd = head[..count].StartsWith(ZstdMagic);
        return isZstd || !path.EndsWith(".zst", StringComparison.Ordinal)
            ? isZstd
            : throw new CliException(ExitCodes.BadImage, $"'{path}' is not compressed by zstd, though its name says so.", "The file is damaged; get it again.");
    }

    private static BlockMap ReadMap(string path, ImageManifest? manifest)
    {
        var bytes = File.ReadAllBytes(path);
        if (manifest is not null && !Convert.ToHexString(SHA256.HashData(bytes)).Equals(manifest.BlockMap.Sha256, StringComparison.OrdinalIgnoreCase))
        {
            throw new CliException(ExitCodes.BadImage, $"the block map '{path}' is not the one that the manifest names.", "It is damaged or of another build; get all files of one build.");
        }

        return BlockMap.Parse(bytes, path);
    }

    private static (ImageManifest? Manifest, ImageOrigin Origin, List<string> Remarks) ReadManifest(string path, string? keyPath, bool requireSignature)
    {
        if (requireSignature && keyPath is null)
        {
            throw new CliException(ExitCodes.Usage, "--require-signature needs the key to check with.", "Give the public key of whoever builds the images: --key FILE.pem.");
        }

        using var key = keyPath is null ? null : ReadKey(keyPath);
        var missing = !File.Exists(path) ? path : !File.Exists(path + ".sig") ? path + ".sig" : null;
        if (requireSignature && missing is not null)
        {
            throw new CliException(ExitCodes.BadImage, $"the image is not signed: there is no '{missing}'.", "Get all files of the build, or leave --require-signature away.");
        }

        if (!File.Exists(path))
        {
            return (null, ImageOrigin.NotProven, [$"Who made this image is not proven: there is no '{path}'."]);
        }

        var bytes = File.ReadAllBytes(path);
        if (key is not null && missing is null)
        {
            CheckSignature(key, bytes, path + ".sig", keyPath!);
        }

        var why = missing is not null ? $"there is no '{missing}'" : key is null ? "no --key was given to hold its signature against" : null;
        var manifest = ParseManifest(bytes, path);
        return (manifest, why is null ? ImageOrigin.Signed : ImageOrigin.NotProven, why is null ? [] : [$"Who made this image is not proven: {why}."]);
    }

    private static ECDsa ReadKey(string path)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(File.ReadAllText(path));
            return key.KeySize == 256 ? key : throw new CryptographicException("it is not of the curve P-256");
        }
        catch (Exception fault) when (fault is ArgumentException or CryptographicException or FileNotFoundException or DirectoryNotFoundException)
        {
            key.Dispose();
            throw new CliException(ExitCodes.Usage, $"'{path}' is no public key that signs images: {fault.Message.TrimEnd('.')}.", "It begins with '-----BEGIN PUBLIC KEY-----' and is ECDSA P-256.");
        }
    }

    private static void CheckSignature(ECDsa key, byte[] bytes, string path, string keyPath)
    {
        var isRight = false;
        try
        {
            isRight = key.VerifyData(bytes, Convert.FromBase64String(File.ReadAllText(path)), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        }
        catch (FormatException)
        {
            // No base64, so no signature.
        }

        if (!isRight)
        {
            throw new CliException(
                ExitCodes.BadImage, $"the signature '{path}' is wrong: the image is not from the owner of '{keyPath}', or was changed since.", "Do not use it. Get image and key again from their source.");
        }
    }

    private static ImageManifest ParseManifest(byte[] bytes, string path)
    {
        try
        {
            return JsonSerializer.Deserialize(bytes, ContractsJson.Default.ImageManifest) ?? throw new JsonException("it is empty");
        }
        catch (JsonException fault)
        {
            throw new CliException(ExitCodes.BadImage, $"the manifest '{path}' cannot be read: {fault.Message.TrimEnd('.')}.", "It is damaged; get all files of the build again.");
        }
    }
}
