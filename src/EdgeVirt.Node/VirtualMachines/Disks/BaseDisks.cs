using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers.Images;

namespace EdgeVirt.Node.VirtualMachines.Disks;

/// <summary>
/// The disks that machines begin from, each once, named by its content. A disk is inspected before it gets its name, so whatever
/// has one is sound. Safe for use by several threads.
/// </summary>
/// <param name="directory">Of this store alone.</param>
/// <param name="inspection">Looks at what comes in.</param>
/// <param name="minFreeBytes">Bytes of the partition that stay free.</param>
/// <param name="space">How much the partition has.</param>
internal sealed class BaseDisks(string directory, DiskInspection inspection, long minFreeBytes, Func<DiskSpace> space)
{
    private const int BlockBytes = 64 << 10;
    private const long CheckInterval = 64 << 20;
    private const string RecordSuffix = ".json";
    private const string PartSuffix = ".part";
    private const UnixFileMode Everybody = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode Passable =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>Where a base disk is.</summary>
    public string PathOf(string sha256) => Path.Combine(directory, sha256);

    /// <summary>Where a download of a disk with this checksum is put together; what is there counts as its beginning.</summary>
    public string PartOf(string sha256)
    {
        Directory.CreateDirectory(directory, Passable);
        return Path.Combine(directory, sha256 + PartSuffix);
    }

    /// <summary>The one with this content; null: it is not here.</summary>
    public BaseDisk? Find(string sha256)
    {
        try
        {
            var record = PathOf(sha256) + RecordSuffix;
            return File.Exists(PathOf(sha256)) && File.Exists(record) ? JsonSerializer.Deserialize(File.ReadAllBytes(record), DisksJson.Default.BaseDisk) : null;
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            // It is taken in again.
            return null;
        }
    }

    /// <summary>Takes in a copy of a file. Blocks of zeros take no room.</summary>
    /// <param name="source">Read from where it is to its end.</param>
    /// <param name="ct">Gives up; nothing stays.</param>
    /// <exception cref="DiskRefusedException">It is not to be used.</exception>
    /// <exception cref="DiskUnavailableException">There is no room.</exception>
    public async Task<BaseDisk> AddAsync(Stream source, CancellationToken ct)
    {
        Directory.CreateDirectory(directory, Passable);
        var part = Path.Combine(directory, $"{Guid.NewGuid():N}{PartSuffix}");
        try
        {
            return await AdoptAsync(part, await CopyAsync(source, part, ct), ct);
        }
        finally
        {
            File.Delete(part);
        }
    }

    /// <summary>Takes in a download that is whole.</summary>
    /// <param name="sha256">What its content has to be.</param>
    /// <param name="ct">Gives up; the download stays.</param>
    /// <exception cref="DiskRefusedException">It is not that content, or not to be used. The download is gone.</exception>
    public async Task<BaseDisk> AddPartAsync(string sha256, CancellationToken ct)
    {
        var part = PartOf(sha256);
        string found;
        await using (var file = File.OpenRead(part))
        {
            found = Convert.ToHexStringLower(await SHA256.HashDataAsync(file, ct));
        }

        try
        {
            return found == sha256
                ? await AdoptAsync(part, sha256, ct)
                : throw new DiskRefusedException(
                    DiskRefusedReason.ChecksumMismatch, $"the file has the SHA-256 {found}, the manifest says {sha256}; correct one of them, or see who changed the file");
        }
        catch (DiskRefusedException)
        {
            File.Delete(part);
            throw;
        }
    }

    /// <summary>Removes those that no machine begins from, and downloads that nobody goes on with.</summary>
    /// <param name="inUse">Checksums.</param>
    public void CollectGarbage(IReadOnlySet<string> inUse)
    {
        if (!Directory.Exists(directory))
        {
            return;
        }

        foreach (var path in Directory.GetFiles(directory))
        {
            var name = Path.GetFileName(path);
            if (!inUse.Contains(name.Split('.')[0]))
            {
                File.Delete(path);
            }
        }
    }

    /// <summary>Objects to more bytes than there is room for.</summary>
    /// <exception cref="DiskUnavailableException">There is no room.</exception>
    public void CheckRoom(long bytes)
    {
        if (space().AvailableBytes - bytes < minFreeBytes)
        {
            throw new DiskUnavailableException(string.Create(
                CultureInfo.InvariantCulture,
                $"the disk needs {bytes} bytes, the data partition has {space().AvailableBytes} of which {minFreeBytes} stay free; free space or replace the disk"));
        }
    }

    private async Task<BaseDisk> AdoptAsync(string part, string sha256, CancellationToken ct)
    {
        if (Find(sha256) is { } known)
        {
            File.Delete(part);
            return known;
        }

        File.SetUnixFileMode(part, Everybody);
        var inspected = await inspection.InspectAsync(part, ct);
        var disk = new BaseDisk(sha256, inspected.Format, inspected.VirtualBytes);
        DurableFile.Sync(part);
        File.Move(part, PathOf(sha256), overwrite: true);
        // The record last: without it there is no such disk.
        DurableFile.Write(PathOf(sha256) + RecordSuffix, JsonSerializer.SerializeToUtf8Bytes(disk, DisksJson.Default.BaseDisk), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return disk;
    }

    private async Task<string> CopyAsync(Stream source, string part, CancellationToken ct)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using var file = new FileStream(part, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
        var buffer = ArrayPool<byte>.Shared.Rent(BlockBytes);
        try
        {
            var (length, checkedTo) = (0L, 0L);
            for (int read; (read = await source.ReadAtLeastAsync(buffer.AsMemory(0, BlockBytes), BlockBytes, throwOnEndOfStream: false, ct)) > 0;)
            {
                var block = buffer.AsMemory(0, read);
                hash.AppendData(block.Span);
                if (block.Span.ContainsAnyExcept((byte)0))
                {
                    if (length >= checkedTo)
                    {
                        CheckRoom(CheckInterval);
                        checkedTo = length + CheckInterval;
                    }

                    file.Position = length;
                    await file.WriteAsync(block, ct);
                }

                length += read;
            }

            file.SetLength(length);
            return Convert.ToHexStringLower(hash.GetHashAndReset());
        }
        catch (IOException e)
        {
            throw new DiskUnavailableException($"the disk cannot be stored: {e.Message}; free space in the data directory or replace the disk", e);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
