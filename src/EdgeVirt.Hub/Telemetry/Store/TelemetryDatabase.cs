using DuckDB.NET.Data;

namespace EdgeVirt.Hub.Telemetry;

/// <summary>
/// The DuckDB file: opening, schema, and what to do when it is damaged. Commits are durable when they return (DuckDB
/// syncs its write-ahead log); the log is folded into the file at 16 MiB and on closing.
/// </summary>
internal sealed partial class TelemetryDatabase(string path, string quarantineDirectory, TimeProvider time, ILogger<TelemetryDatabase> logger)
{
    private const string Schema = """
        SET autoinstall_known_extensions = false;
        SET autoload_known_extensions = false;
        SET memory_limit = '512MB';
        SET checkpoint_threshold = '16MB';
        CREATE TABLE IF NOT EXISTS samples (
          time TIMESTAMP NOT NULL, node VARCHAR NOT NULL, metric VARCHAR NOT NULL, value DOUBLE NOT NULL,
          attributes VARCHAR NOT NULL, boot_id VARCHAR NOT NULL, stream VARCHAR NOT NULL, sequence BIGINT NOT NULL);
        CREATE TABLE IF NOT EXISTS streams (
          node VARCHAR NOT NULL, stream VARCHAR NOT NULL, high BIGINT NOT NULL, holes VARCHAR NOT NULL, given_up BIGINT NOT NULL,
          dropped BIGINT NOT NULL, lost BIGINT NOT NULL, refused BIGINT NOT NULL, missing BIGINT NOT NULL,
          boot_id VARCHAR NOT NULL, boot_time BIGINT NOT NULL, PRIMARY KEY (node, stream));
        CREATE TABLE IF NOT EXISTS retention (erased_up_to TIMESTAMP NOT NULL);
        """;

    private readonly List<string> quarantined = [];

    /// <summary>Files that were damaged since start, as they are called in quarantine.</summary>
    public IReadOnlyList<string> Quarantined => quarantined;

    /// <summary>
    /// Opens, or makes, the database. A log that cannot be replayed is set aside first, then the file itself: the hub goes on
    /// with what is left. Throws <see cref="TelemetryUnavailableException"/> when another process holds the file or the disk cannot be written.
    /// </summary>
    public DuckDBConnection Open()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        foreach (var suspect in new[] { path + ".wal", path })
        {
            try
            {
                return TryOpen();
            }
            catch (DuckDBException e) when (IsDamage(e))
            {
                LogDamaged(Path.GetFileName(suspect), e);
                SetAside(suspect);
            }
            catch (DuckDBException e)
            {
                throw new TelemetryUnavailableException($"Cannot open {path}: {e.Message}", e);
            }
        }

        try
        {
            return TryOpen();
        }
        catch (DuckDBException e)
        {
            throw new TelemetryUnavailableException($"Cannot make {path}: {e.Message}", e);
        }
    }

    /// <summary>One more connection to the database that <see cref="Open"/> opened.</summary>
    public DuckDBConnection Connect()
    {
        var connection = new DuckDBConnection($"Data Source={path}");
        connection.Open();
        return connection;
    }

    /// <summary>Whether a failed query means that the file itself is damaged.</summary>
    public static bool SaysDamaged(DuckDBException e) => e.Message.Contains("Corrupt database file", StringComparison.OrdinalIgnoreCase);

    /// <summary>Moves a database that turned out to be damaged into quarantine. No connection may be open.</summary>
    public void SetAside()
    {
        SetAside(path);
        SetAside(path + ".wal");
    }

    private DuckDBConnection TryOpen()
    {
        var connection = Connect();
        try
        {
            using var command = connection.CreateCommand();
            command.CommandText = Schema;
            command.ExecuteNonQuery();

            // Reads the small table through, so that damage there shows now and not at the first batch.
            command.CommandText = "SELECT count(*), sum(high), max(holes) FROM streams";
            using var reader = command.ExecuteReader();
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    // Neither a lock nor a full or missing disk is cured by beginning anew.
    private static bool IsDamage(DuckDBException e) =>
        !e.Message.Contains("set lock on file", StringComparison.OrdinalIgnoreCase)
        && !e.Message.Contains("No space left", StringComparison.OrdinalIgnoreCase)
        && !e.Message.Contains("Permission denied", StringComparison.OrdinalIgnoreCase)
        && !e.Message.Contains("Read-only file system", StringComparison.OrdinalIgnoreCase);

    private void SetAside(string file)
    {
        if (!File.Exists(file))
        {
            return;
        }

        Directory.CreateDirectory(quarantineDirectory);
        var name = $"{time.GetUtcNow():yyyyMMdd'T'HHmmssfff'Z'}-{Path.GetFileName(file)}";
        File.Move(file, Path.Combine(quarantineDirectory, name), overwrite: true);
        quarantined.Add(name);
    }

    [LoggerMessage(EventId = 10, Level = LogLevel.Error, Message = "The telemetry database is damaged; setting {File} aside in quarantine")]
    private partial void LogDamaged(string file, Exception exception);
}
