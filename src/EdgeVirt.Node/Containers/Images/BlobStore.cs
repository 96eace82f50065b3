using EdgeVirt.Linux;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers.Images;

/// <summary>Content by digest: <c>blobs/sha256/&lt;hex&gt;</c>, and under <c>partial</c> what is on its way.</summary>
internal sealed partial class BlobStore(string imagesDirectory, string quarantineDirectory, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan s_partialKept = TimeSpan.FromDays(2);

    private readonly string _blobs = Path.Combine(imagesDirectory, "blobs", "sha256");
    private readonly string _partial = Path.Combine(imagesDirectory, "partial");

    public string PathOf(string digest) => Path.Combine(_blobs, Digest.Hex(digest));

    public string PartialPathOf(string digest) => Path.Combine(_partial, Digest.Hex(digest));

    /// <summary>Ranges of a layer that are here of it.</summary>
    public string RangesPathOf(string digest) => PartialPathOf(digest) + ".ranges";

    public bool Has(string digest) => File.Exists(PathOf(digest));

    /// <summary>How many bytes of it are here, whole or on their way.</summary>
    public long BytesOf(string digest) => new[] { PathOf(digest), PartialPathOf(digest) }.Select(path => new FileInfo(path)).Where(file => file.Exists).Sum(file => file.Length);

    /// <summary>What attempts at an image have cost so far, bytes; forgotten like a partial download that nobody resumes.</summary>
    public long SpentOn(string manifestDigest) =>
        File.Exists(SpentPathOf(manifestDigest)) && long.TryParse(File.ReadAllText(SpentPathOf(manifestDigest)), out var bytes) ? bytes : 0;

    /// <summary>Keeps what attempts have cost; 0: forgets it.</summary>
    public void SetSpent(string manifestDigest, long bytes)
    {
        if (bytes > 0)
        {
            DurableFile.Write(SpentPathOf(manifestDigest), System.Text.Encoding.ASCII.GetBytes(bytes.ToString(System.Globalization.CultureInfo.InvariantCulture)), (UnixFileMode)0x180);
        }
        else
        {
            File.Delete(SpentPathOf(manifestDigest));
        }
    }

    private string SpentPathOf(string manifestDigest) => PartialPathOf(manifestDigest) + ".spent";

    /// <summary>Of all whole blobs.</summary>
    public long StoredBytes => new DirectoryInfo(_blobs).EnumerateFiles().Sum(file => file.Length);

    /// <summary>Of all downloads that are not whole yet.</summary>
    public long PartialBytes => new DirectoryInfo(_partial).EnumerateFiles().Sum(file => file.Length);

    /// <summary>Makes the directories and removes temporary files that a crash left. Partial downloads stay: they are resumed.</summary>
    public void Clean()
    {
        Directory.CreateDirectory(_blobs);
        Directory.CreateDirectory(_partial);
        foreach (var temporary in Directory.EnumerateFiles(_blobs, "*.tmp").ToList())
        {
            File.Delete(temporary);
        }
    }

    /// <summary>A manifest or config that is what its digest says. Null: it is not here, or was damaged and is now in quarantine.</summary>
    public byte[]? Read(string digest)
    {
        var path = PathOf(digest);
        if (!File.Exists(path))
        {
            return null;
        }

        if (new FileInfo(path).Length <= ImageManifest.MaxDocumentBytes)
        {
            var bytes = File.ReadAllBytes(path);
            if (Digest.Of(bytes) == digest)
            {
                return bytes;
            }
        }

        Quarantine(path);
        return null;
    }

    /// <summary>Keeps a manifest or config whose digest was checked.</summary>
    public void Write(string digest, ReadOnlySpan<byte> bytes) => DurableFile.Write(PathOf(digest), bytes, (UnixFileMode)0x180);

    /// <summary>Takes a partial download, which is whole and checked now, in as a blob.</summary>
    public void Commit(string digest, FileStream partial)
    {
        partial.Flush(flushToDisk: true);
        File.Move(PartialPathOf(digest), PathOf(digest), overwrite: true);
        DurableFile.SyncDirectory(_blobs);
    }

    public void Remove(string digest)
    {
        File.Delete(PathOf(digest));
        File.Delete(PartialPathOf(digest));
        File.Delete(RangesPathOf(digest));
    }

    /// <summary>All but what is named; and partial downloads that nobody has resumed for days.</summary>
    public IEnumerable<string> Unused(IReadOnlySet<string> digests)
    {
        var blobs = Directory.EnumerateFiles(_blobs).Where(path => !digests.Contains("sha256:" + Path.GetFileName(path)));
        var partial = Directory.EnumerateFiles(_partial).Where(path => !digests.Contains("sha256:" + Path.GetFileName(path))
            && time.GetUtcNow() - File.GetLastWriteTimeUtc(path) > s_partialKept);
        return [.. blobs, .. partial];
    }

    /// <summary>Puts a damaged file aside, for people to look at; one of a name, so that it stays bounded.</summary>
    public void Quarantine(string path)
    {
        Directory.CreateDirectory(quarantineDirectory);
        var target = Path.Combine(quarantineDirectory, "image-" + Path.GetFileName(path));
        LogQuarantined(logger, path, target);
        File.Move(path, target, overwrite: true);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Path} is damaged; put aside as {Target}, to be pulled again")]
    private static partial void LogQuarantined(ILogger logger, string path, string target);
}
