namespace EdgeVirt.Contracts.Boards;

/// <summary>
/// What an image is: <c>&lt;name&gt;.json</c> beside <c>&lt;name&gt;.img.zst</c> and <c>&lt;name&gt;.img.bmap</c>. Its signature, <c>&lt;name&gt;.json.sig</c>, is ECDSA P-256 over
/// the file's bytes with SHA-256, DER, base64; the digests in it prove the rest.
/// </summary>
public sealed record ImageManifest
{
    /// <summary>Name of the <see cref="BoardDefinition"/>.</summary>
    public required string Board { get; init; }

    /// <summary>Version of the node OS, such as <c>13.1+20261127.0</c>.</summary>
    public required string Version { get; init; }

    /// <summary><c>production</c> or <c>debug</c>.</summary>
    public required string Variant { get; init; }

    /// <summary>Processor architecture.</summary>
    public required BoardArchitecture Architecture { get; init; }

    /// <summary>Moment that every file of it has.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Bytes of the image as it lies on a card; the card must have <see cref="BoardStorage.MinimumBytes"/>.</summary>
    public required long ImageBytes { get; init; }

    /// <summary>SHA-256 of the whole image, hexadecimal.</summary>
    public required string ImageSha256 { get; init; }

    /// <summary>The compressed file, its bytes and its SHA-256.</summary>
    public required ImageFile Compressed { get; init; }

    /// <summary>The block map (bmap 2.0).</summary>
    public required ImageFile BlockMap { get; init; }

    /// <summary>The list of what is in it (SPDX 2.3).</summary>
    public required ImageFile Sbom { get; init; }

    /// <summary>Least size of the card, bytes.</summary>
    public required long MinimumCardBytes { get; init; }

    /// <summary>dm-verity root hash of the root file system, hexadecimal.</summary>
    public required string RootHash { get; init; }
}

/// <summary>A file beside the manifest.</summary>
/// <param name="Name">File name, without a directory.</param>
/// <param name="Bytes">Its size, bytes.</param>
/// <param name="Sha256">Hexadecimal.</param>
public sealed record ImageFile(string Name, long Bytes, string Sha256);
