namespace EdgeVirt.Node;

/// <summary>How images are fetched and kept on the node.</summary>
internal sealed record ImagesOptions
{
    /// <summary>How many layers of an image are fetched side by side.</summary>
    public int MaxConcurrentDownloads { get; init; } = 3;
}

/// <summary>The shape of <c>images</c> in the file; absent keys leave the defaults.</summary>
internal sealed record ImagesOptionsFile
{
    public int? MaxConcurrentDownloads { get; init; }

    public ImagesOptions Over(ImagesOptions options) => options with
    {
        MaxConcurrentDownloads = MaxConcurrentDownloads ?? options.MaxConcurrentDownloads,
    };
}
