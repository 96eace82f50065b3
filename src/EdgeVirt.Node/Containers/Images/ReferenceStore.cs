using System.Text;
using System.Text.Json;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>
/// Which manifest each reference stood for when last pulled: <c>refs/&lt;hash of the reference&gt;.json</c>.
/// The file's time is when the image was last asked for.
/// </summary>
internal sealed class ReferenceStore(string imagesDirectory, BlobStore blobs, TimeProvider time)
{
    private readonly string _directory = Path.Combine(imagesDirectory, "refs");

    public void Clean()
    {
        Directory.CreateDirectory(_directory);
        foreach (var temporary in Directory.EnumerateFiles(_directory, "*.tmp").ToList())
        {
            File.Delete(temporary);
        }
    }

    /// <summary>The manifest's digest; null where the reference was never pulled, or its file is damaged and now in quarantine.</summary>
    public string? Find(ImageReference reference)
    {
        var path = PathOf(reference);
        if (!File.Exists(path))
        {
            return null;
        }

        if (Read(path) is { } document && document.Reference == reference.ToString())
        {
            return document.ManifestDigest;
        }

        blobs.Quarantine(path);
        return null;
    }

    public void Write(ImageReference reference, string manifestDigest, PullCost? cost)
    {
        var document = new ReferenceDocument { Reference = reference.ToString(), ManifestDigest = manifestDigest, Cost = cost };
        document = document with { Sum = SumOf(document) };
        DurableFile.Write(PathOf(reference), JsonSerializer.SerializeToUtf8Bytes(document, ImageJson.Default.ReferenceDocument), (UnixFileMode)0x180);
        Touch(reference);
    }

    public void Touch(ImageReference reference) => File.SetLastWriteTimeUtc(PathOf(reference), time.GetUtcNow().UtcDateTime);

    /// <summary>Every reference file: where it is, its reference and the manifest's digest (null: damaged), when last asked for, what its pull cost.</summary>
    public IReadOnlyList<(string Path, string? Reference, string? ManifestDigest, DateTimeOffset Used, PullCost? Cost)> All() =>
    [
        .. Directory.EnumerateFiles(_directory, "*.json")
            .Select(path => (Path: path, Document: Read(path), Used: new DateTimeOffset(File.GetLastWriteTimeUtc(path))))
            .Select(file => (file.Path, file.Document?.Reference, file.Document?.ManifestDigest, file.Used, file.Document?.Cost)),
    ];

    private string PathOf(ImageReference reference) =>
        Path.Combine(_directory, Digest.Hex(Digest.Of(Encoding.UTF8.GetBytes(reference.ToString()))) + ".json");

    private static string SumOf(ReferenceDocument document) =>
        Digest.Of(Encoding.UTF8.GetBytes($"{document.Reference} {document.ManifestDigest} {document.Cost?.FetchedBytes} {document.Cost?.LayerBytes}"));

    private static ReferenceDocument? Read(string path)
    {
        try
        {
            var document = JsonSerializer.Deserialize(File.ReadAllBytes(path), ImageJson.Default.ReferenceDocument);
            return document is not null && Digest.IsDigest(document.ManifestDigest) && (document.Sum ?? SumOf(document)) == SumOf(document) ? document : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
