namespace EdgeVirt.Node.Containers.Images;

/// <summary>An image that is whole on this node.</summary>
/// <param name="ManifestDigest"><c>sha256:…</c> of the platform's manifest; what <see cref="ImagesInUse"/> knows it by.</param>
/// <param name="Config">How it wants to be run.</param>
/// <param name="LayerDirectories">Lowest first, each another directory, in overlayfs form: whiteouts are devices 0:0, opaque directories carry the attribute.</param>
internal sealed record StoredImage(string ManifestDigest, ImageConfig Config, IReadOnlyList<string> LayerDirectories)
{
    /// <summary>Whether it is an artifact: each of the directories has one file, and there is nothing to run.</summary>
    public bool IsArtifact { get; init; }

    /// <summary>Of all its layers as a registry has them.</summary>
    public long LayerBytes { get; init; }
}

/// <summary>The part of an image's config that starting a container needs.</summary>
internal sealed record ImageConfig
{
    public IReadOnlyList<string> Entrypoint { get; init; } = [];
    public IReadOnlyList<string> Cmd { get; init; } = [];

    /// <summary><c>NAME=value</c> each.</summary>
    public IReadOnlyList<string> Env { get; init; } = [];

    /// <summary>Absolute, or null for <c>/</c>.</summary>
    public string? WorkingDir { get; init; }

    /// <summary><c>user[:group]</c>, by name or number; null: root.</summary>
    public string? User { get; init; }

    /// <summary><c>SIGTERM</c>, <c>15</c>, …; null: SIGTERM.</summary>
    public string? StopSignal { get; init; }
}
