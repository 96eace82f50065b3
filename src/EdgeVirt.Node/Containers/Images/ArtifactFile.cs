using System.Text;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>
/// A file in an artifact, as <c>oras push</c> makes one (OCI image specification, "Guidelines for Artifact Usage"): a layer that is the file itself,
/// named by its title. On the node it lies by that name in a directory of its own, as unpacked layers do.
/// </summary>
internal static class ArtifactFile
{
    private const string Title = "org.opencontainers.image.title";
    private const string TarLayer = "image.layer.v1.tar";
    private const int BlockBytes = 64 << 10;
    private const int LongestName = 255;
    private const long CheckInterval = 64 << 20;

    /// <summary>What it is called; without a title by its digest.</summary>
    public static string NameOf(Descriptor layer) => layer.Annotations?.GetValueOrDefault(Title) ?? Digest.Hex(layer.Digest!);

    /// <summary>What its directory is called, in the form of a layer's chain id.</summary>
    public static string IdOf(Descriptor layer) => Digest.Of(Encoding.UTF8.GetBytes($"artifact {layer.MediaType} {layer.Digest} {NameOf(layer)}"));

    /// <summary>Whether it is packed for the way, and its title names what it unpacks to.</summary>
    public static bool IsPacked(Descriptor layer) => layer.MediaType is { } type
        && (type.EndsWith("+gzip", StringComparison.Ordinal) || type.EndsWith("+zstd", StringComparison.Ordinal));

    /// <summary>Objects to what cannot be laid down as files.</summary>
    /// <exception cref="ImageRefusedException">A name is a path or there twice, or a layer is a packed directory.</exception>
    public static void Check(IReadOnlyList<Descriptor> layers)
    {
        var names = new HashSet<string>();
        foreach (var layer in layers)
        {
            var name = NameOf(layer);
            if (name is "" or "." or ".." || name.Length > LongestName || name.Any(c => c == '/' || char.IsControl(c)))
            {
                throw ImageManifest.Invalid("the title of a file in the artifact is no plain file name; push it from its own directory, as 'oras push … disk.qcow2'");
            }

            if (!names.Add(name))
            {
                throw ImageManifest.Invalid($"two files in the artifact have the title '{name}'; give each its own");
            }

            if (layer.MediaType?.Contains(TarLayer, StringComparison.Ordinal) == true)
            {
                throw new ImageRefusedException(
                    ImageRefusedReason.UnsupportedMediaType, $"'{name}' in the artifact is a packed directory ({layer.MediaType}); push its files themselves, or make a container image of them");
            }
        }
    }

    /// <summary>Lays it down. Blocks of zeros take no room.</summary>
    /// <param name="content">The file.</param>
    /// <param name="path">Where; nothing is there.</param>
    /// <param name="checkDisk">Objects to so many bytes more.</param>
    /// <param name="ct">Gives up between two blocks.</param>
    public static void Write(Stream content, string path, Action<long> checkDisk, CancellationToken ct)
    {
        using (var file = new FileStream(
            path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
        {
            var block = new byte[BlockBytes];
            var (length, checkedTo) = (0L, 0L);
            for (int read; (read = content.ReadAtLeast(block, BlockBytes, throwOnEndOfStream: false)) > 0;)
            {
                ct.ThrowIfCancellationRequested();
                if (block.AsSpan(0, read).ContainsAnyExcept((byte)0))
                {
                    if (length >= checkedTo)
                    {
                        checkDisk(CheckInterval);
                        checkedTo = length + CheckInterval;
                    }

                    file.Position = length;
                    file.Write(block.AsSpan(0, read));
                }

                length += read;
            }

            file.SetLength(length);
        }

        DurableFile.Sync(path);
    }
}
