using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Containers.Images.Registries;

namespace EdgeVirt.Node.Containers.Images.Archives;

/// <summary>A file or directory that holds images: an OCI layout, plain or as a tar, or what <c>docker save</c> wrote.</summary>
internal sealed class ImageArchive(string path, IImageSource source, IReadOnlyList<ArchivedImage> images) : IDisposable
{
    private const string NameAnnotation = "org.opencontainers.image.ref.name";
    private const string FullNameAnnotation = "io.containerd.image.name";
    private const int MostNamed = 20;

    public IImageSource Source => source;

    /// <param name="path">Absolute.</param>
    /// <param name="platform">Which of several variants of one name is taken.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="ImagePullException">There is nothing usable at that path; the message says what would be.</exception>
    /// <exception cref="ImageRefusedException">What is there is not sound.</exception>
    public static async Task<ImageArchive> OpenAsync(string path, ImagePlatform platform, CancellationToken ct)
    {
        var files = FilesAt(path);
        try
        {
            if (await LayoutSource.ReadIndexAsync(files, ct) is { } index)
            {
                var tags = await DockerArchiveSource.ReadTagsAsync(files, ct);
                return new ImageArchive(path, new LayoutSource(files), ImagesOf(index, tags, platform));
            }

            if (await DockerArchiveSource.OpenAsync(files, ct) is { } docker)
            {
                return new ImageArchive(path, docker, docker.Images);
            }

            throw new ImagePullException($"{path} holds neither an OCI layout (index.json) nor what 'docker save' writes (manifest.json).") { IsLocal = true };
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <summary>What is to be taken in, and under which names.</summary>
    /// <param name="name">The name that the operator gives; null: those in the archive.</param>
    /// <exception cref="ImagePullException">That leaves no name, or no image.</exception>
    public IReadOnlyList<ArchivedImage> Choose(ImageReference? name)
    {
        if (name is not null)
        {
            return images switch
            {
                [var only] => [only with { Names = [name] }],
                [] => throw new ImagePullException($"{path} holds no image.") { IsLocal = true },
                _ => throw new ImagePullException($"{path} holds {images.Count} images ({Listed()}); leave the name out to import them all under their own.") { IsLocal = true },
            };
        }

        return images.Count > 0 && images.All(image => image.Names.Count > 0)
            ? images
            : throw new ImagePullException($"{path} gives no full name to its image; say which: --name registry.example.com/app:1.") { IsLocal = true };
    }

    public void Dispose() => source.Dispose();

    private string Listed() => string.Join(", ", images.Take(MostNamed).Select(image => image.Names is [var first, ..] ? first.ToString() : image.Digest));

    private static ILayoutFiles FilesAt(string path)
    {
        if (!Path.IsPathFullyQualified(path))
        {
            throw new ImagePullException($"'{path}' is no absolute path.") { IsLocal = true };
        }

        try
        {
            return Directory.Exists(path) && new DirectoryInfo(path).LinkTarget is null ? new DirectoryFiles(path) : new TarFiles(RegularFile.OpenRead(path));
        }
        catch (Exception unusable) when (unusable is IOException or UnauthorizedAccessException)
        {
            throw new ImagePullException($"{path} cannot be read: {unusable.Message}. Give a regular file or a directory that the agent can read.", unusable) { IsLocal = true };
        }
    }

    private static List<ArchivedImage> ImagesOf(IReadOnlyList<Descriptor> index, IReadOnlyList<ImageReference> dockerTags, ImagePlatform platform)
    {
        var images = index.GroupBy(TextOf).Select(group =>
        {
            var entries = group.ToList();
            var chosen = entries.Count == 1 || group.Key is null ? entries : [ImageManifest.Choose(entries, platform)];
            return chosen.Select(entry => new ArchivedImage(ArchivedImage.Named(group.Key, isDocker: IsDocker(entry)) is { } name ? [name] : [], entry.Digest ?? ""));
        }).SelectMany(found => found).ToList();

        // docker save writes a layout with bare tags, and the names beside it.
        return images is [{ Names.Count: 0 }] && dockerTags.Count > 0 ? [images[0] with { Names = dockerTags }] : images;
    }

    private static string? TextOf(Descriptor entry) => entry.Annotations?.GetValueOrDefault(FullNameAnnotation) ?? entry.Annotations?.GetValueOrDefault(NameAnnotation);

    private static bool IsDocker(Descriptor entry) => entry.Annotations?.ContainsKey(FullNameAnnotation) == true;
}
