using System.Globalization;
using System.Security.Cryptography;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Hub.Resources;
using EdgeVirt.Hub.Storage;
using Microsoft.Data.Sqlite;

namespace EdgeVirt.Hub.Backups;

/// <summary>
/// Backups of nodes' volumes: a file each, and a row that makes it one. A file without its row is from a transfer that was cut off and
/// goes at the next start. They outlive the node: a board that is replaced gets its data from here.
/// </summary>
internal sealed class VolumeBackups
{
    /// <summary>Bytes of the partition that backups leave to the rest of the hub.</summary>
    private const long LeastFreeBytes = 1L << 30;

    private const int BufferBytes = 128 << 10;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly HubDatabase database;
    private readonly TimeProvider time;
    private readonly string directory;
    private readonly long mostBytes;
    private long underway;

    public VolumeBackups(HubDatabase database, HubOptions options, TimeProvider time)
    {
        (this.database, this.time) = (database, time);
        directory = Path.Combine(options.DataDir, "backups");
        mostBytes = options.VolumeBackupsMaxGib == 0 ? long.MaxValue : (long)options.VolumeBackupsMaxGib << 30;
        database.Migrate("volume-backups",
        [
            """
            CREATE TABLE volume_backups (
              id TEXT PRIMARY KEY, node TEXT NOT NULL, volume TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, created INTEGER NOT NULL) WITHOUT ROWID
            """,
        ]);

        // What is in a volume nobody here knows: it is for the hub's user alone.
        Directory.CreateDirectory(directory, OwnerOnly | UnixFileMode.UserExecute);
        RemoveOrphans();
    }

    /// <summary>Newest first.</summary>
    /// <param name="node">Of this one only; null: of all.</param>
    /// <param name="volume">Of this one only; null: of all.</param>
    /// <param name="ct">Gives up.</param>
    public Task<IReadOnlyList<VolumeBackup>> ListAsync(string? node, string? volume, CancellationToken ct) =>
        database.ReadAsync<IReadOnlyList<VolumeBackup>>(connection => Query(connection, node, volume), ct);

    /// <summary>The backup of that id; null if there is none.</summary>
    public async Task<VolumeBackup?> FindAsync(string id, CancellationToken ct) => (await ListAsync(null, null, ct)).FirstOrDefault(backup => backup.Id == id);

    /// <summary>The file's content.</summary>
    /// <exception cref="FileNotFoundException">It was taken away.</exception>
    public FileStream Open(VolumeBackup backup) => new(FileOf(backup.Id), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, BufferBytes);

    /// <summary>Keeps what a stream gives, all or nothing. <paramref name="record"/> may write about it in the same transaction.</summary>
    /// <exception cref="ConflictException">There is no room for it.</exception>
    public async Task<VolumeBackup> KeepAsync(
        (string Node, string Volume) source, Stream content, Action<long> progress, Action<SqliteConnection, VolumeBackup> record, CancellationToken ct)
    {
        var kept = (await ListAsync(null, null, ct)).Sum(backup => backup.SizeBytes);
        CheckRoom(kept, 1);
        // As the row keeps it.
        var now = DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds());
        var id = string.Create(CultureInfo.InvariantCulture, $"{now:yyyyMMdd-HHmmss}-{RandomNumberGenerator.GetHexString(4, lowercase: true)}");
        var length = 0L;
        try
        {
            string digest;
            await using (var file = new FileStream(FileOf(id), new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerOnly }))
            {
                using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
                var buffer = new byte[BufferBytes];
                while (await content.ReadAsync(buffer, ct) is var read and > 0)
                {
                    length += read;
                    CheckRoom(kept + Interlocked.Add(ref underway, read), 0);
                    hash.AppendData(buffer, 0, read);
                    await file.WriteAsync(buffer.AsMemory(0, read), ct);
                    progress(length);
                }

                file.Flush(flushToDisk: true);
                digest = Convert.ToHexStringLower(hash.GetHashAndReset());
            }

            var backup = new VolumeBackup { Id = id, Node = source.Node, Volume = source.Volume, SizeBytes = length, Sha256 = digest, CreatedAt = now };
            await database.WriteAsync((connection, _) => Insert(connection, backup, record), CancellationToken.None);
            return backup;
        }
        catch
        {
            File.Delete(FileOf(id));
            throw;
        }
        finally
        {
            Interlocked.Add(ref underway, -length);
        }
    }

    /// <summary>Deletes one; false if there is none of that id. <paramref name="record"/> may write about it in the same transaction.</summary>
    public async Task<bool> DeleteAsync(string id, Action<SqliteConnection> record, CancellationToken ct)
    {
        var found = await database.WriteAsync(
            (connection, _) =>
            {
                var deleted = connection.Execute("DELETE FROM volume_backups WHERE id = $id", ("$id", id)) > 0;
                if (deleted)
                {
                    record(connection);
                }

                return deleted;
            },
            ct);
        if (found)
        {
            File.Delete(FileOf(id));
        }

        return found;
    }

    private void CheckRoom(long taken, long more)
    {
        if (taken + more > mostBytes)
        {
            throw new ConflictException(
                $"Volume backups would take more than the {mostBytes >> 30} GiB that the hub has for them.",
                "Delete old ones with 'edgevirt volume backups delete ID', or start the hub with a larger --volume-backups-max-gib.");
        }

        if (new DriveInfo(directory).AvailableFreeSpace < LeastFreeBytes)
        {
            throw new ConflictException(
                "The hub's disk has less than 1 GiB left.", "Delete old backups with 'edgevirt volume backups delete ID', or give the hub more room.");
        }
    }

    // Ids come from the rows, never from a caller, so that no name leads out of the directory.
    private string FileOf(string id) => Path.Combine(directory, id + ".tar.zst");

    private void RemoveOrphans()
    {
        var known = database.ReadAsync(connection => Query(connection, null, null), CancellationToken.None).GetAwaiter().GetResult()
            .Select(backup => FileOf(backup.Id)).ToHashSet();
        foreach (var file in Directory.EnumerateFiles(directory).Where(file => !known.Contains(file)))
        {
            File.Delete(file);
        }
    }

    private static bool Insert(SqliteConnection connection, VolumeBackup backup, Action<SqliteConnection, VolumeBackup> record)
    {
        connection.Execute(
            "INSERT INTO volume_backups (id, node, volume, size, sha256, created) VALUES ($id, $node, $volume, $size, $sha256, $created)",
            ("$id", backup.Id),
            ("$node", backup.Node),
            ("$volume", backup.Volume),
            ("$size", backup.SizeBytes),
            ("$sha256", backup.Sha256),
            ("$created", backup.CreatedAt.ToUnixTimeMilliseconds()));
        record(connection, backup);
        return true;
    }

    private static List<VolumeBackup> Query(SqliteConnection connection, string? node, string? volume) => connection.Query(
        """
        SELECT id, node, volume, size, sha256, created FROM volume_backups
        WHERE ($node IS NULL OR node = $node) AND ($volume IS NULL OR volume = $volume) ORDER BY id DESC
        """,
        row => new VolumeBackup
        {
            Id = row.GetString(0),
            Node = row.GetString(1),
            Volume = row.GetString(2),
            SizeBytes = row.GetInt64(3),
            Sha256 = row.GetString(4),
            CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(5)),
        },
        ("$node", node),
        ("$volume", volume));
}
