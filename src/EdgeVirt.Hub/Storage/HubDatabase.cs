using Microsoft.Data.Sqlite;

namespace EdgeVirt.Hub.Storage;

/// <summary>
/// The door to <c>hub.db</c>: one writer at a time, each write a transaction that is on the disk when it is
/// acknowledged (WAL, synchronous=FULL), and readers that see a consistent snapshot beside it. Each component
/// brings its own tables by <see cref="Migrate"/>.
/// </summary>
internal sealed class HubDatabase : IAsyncDisposable, IDisposable
{
    private const int ConcurrentReaders = 8;

    private readonly string path;
    private readonly FileStream claim;
    private readonly SqliteConnection writer;
    private readonly string readerSource;
    private readonly SemaphoreSlim writing = new(1);
    private readonly SemaphoreSlim reading = new(ConcurrentReaders);
    private bool closed;

    /// <summary>Opens the file, or makes it where there is none, and checks that it is sound.</summary>
    /// <exception cref="HubStorageException">It is damaged or cannot be opened. Nothing was changed.</exception>
    public HubDatabase(string path)
    {
        this.path = path;
        claim = Claim(path);
        var source = new SqliteConnectionStringBuilder { DataSource = path, Pooling = false, DefaultTimeout = 30 };
        readerSource = new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Mode = SqliteOpenMode.ReadOnly,
            Pooling = true,
            DefaultTimeout = 30,
        }.ToString();
        writer = new SqliteConnection(source.ToString());
        try
        {
            Open();
        }
        catch (SqliteException e)
        {
            Close();
            throw Translate(e);
        }
        catch
        {
            Close();
            throw;
        }
    }

    /// <summary>
    /// Brings a component's tables up to date: the scripts that this file has not seen yet run in order, in one
    /// transaction. Scripts are only ever added at the end.
    /// </summary>
    /// <exception cref="HubStorageException">The file was written by a newer hub.</exception>
    public void Migrate(string component, IReadOnlyList<string> scripts)
    {
        writing.Wait();
        try
        {
            using var transaction = writer.BeginTransaction();
            var done = writer.Scalar<long?>("SELECT version FROM migrations WHERE component = $component", ("$component", component)) ?? 0;
            if (done > scripts.Count)
            {
                throw new HubStorageException(
                    $"{path} was written by a newer hub ({component} is at {done}, this hub knows {scripts.Count}). Start that version, or restore a backup made by this one.");
            }

            foreach (var script in scripts.Skip((int)done))
            {
                writer.Execute(script);
            }

            writer.Execute(
                "INSERT INTO migrations (component, version) VALUES ($component, $version) ON CONFLICT DO UPDATE SET version = $version",
                ("$component", component),
                ("$version", scripts.Count));
            transaction.Commit();
        }
        catch (SqliteException e)
        {
            throw Translate(e);
        }
        finally
        {
            writing.Release();
        }
    }

    /// <summary>
    /// Runs <paramref name="work"/> as the only writer and commits; the task ends when the change is on the disk.
    /// An exception rolls back, and so does work that calls <see cref="SqliteTransaction.Rollback()"/> itself.
    /// </summary>
    public async Task<T> WriteAsync<T>(Func<SqliteConnection, SqliteTransaction, T> work, CancellationToken ct)
    {
        await writing.WaitAsync(ct);
        try
        {
            // Committing waits for the disk, so it is kept off the caller's thread.
            return await Task.Run(() => Write(work), CancellationToken.None);
        }
        finally
        {
            writing.Release();
        }
    }

    /// <summary>Runs <paramref name="work"/> on a snapshot: all of its queries see the same state.</summary>
    public async Task<T> ReadAsync<T>(Func<SqliteConnection, T> work, CancellationToken ct)
    {
        await reading.WaitAsync(ct);
        try
        {
            return await Task.Run(() => Read(work), CancellationToken.None);
        }
        finally
        {
            reading.Release();
        }
    }

    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    public void Dispose()
    {
        writing.Wait();
        if (closed)
        {
            writing.Release();
            return;
        }

        Close();
        writing.Release();
    }

    private void Close()
    {
        closed = true;

        // The writer goes last: it alone can fold the write-ahead log into the file.
        using (var reader = new SqliteConnection(readerSource))
        {
            SqliteConnection.ClearPool(reader);
        }

        writer.Dispose();
        claim.Dispose();
    }

    // SQLite would let two hubs write in turn; each keeps state in memory that the other would not see.
    private static FileStream Claim(string path)
    {
        try
        {
            return new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e is not (DirectoryNotFoundException or FileNotFoundException))
        {
            throw new HubStorageException($"{path} is in use by another hub. Only one can run on a data directory; stop that one first.", e);
        }
    }

    private T Write<T>(Func<SqliteConnection, SqliteTransaction, T> work)
    {
        try
        {
            using var transaction = writer.BeginTransaction();
            var result = work(writer, transaction);
            if (transaction.Connection is not null)
            {
                transaction.Commit();
            }

            return result;
        }
        catch (SqliteException e) when (IsDamage(e))
        {
            throw Translate(e);
        }
    }

    private T Read<T>(Func<SqliteConnection, T> work)
    {
        using var reader = new SqliteConnection(readerSource);
        reader.Open();
        using var snapshot = reader.BeginTransaction(deferred: true);
        return work(reader);
    }

    private void Open()
    {
        writer.Open();
        writer.Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
        var faults = writer.Query("PRAGMA quick_check(5)", row => row.GetString(0));
        if (faults is not ["ok"])
        {
            throw Damaged(string.Join("; ", faults), null);
        }

        writer.Execute("CREATE TABLE IF NOT EXISTS migrations (component TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID");
    }

    private static bool IsDamage(SqliteException e) => e.SqliteErrorCode is SQLitePCL.raw.SQLITE_CORRUPT or SQLitePCL.raw.SQLITE_NOTADB;

    private HubStorageException Translate(SqliteException e) => e.SqliteErrorCode switch
    {
        SQLitePCL.raw.SQLITE_CORRUPT or SQLitePCL.raw.SQLITE_NOTADB => Damaged(e.Message, e),
        SQLitePCL.raw.SQLITE_BUSY or SQLitePCL.raw.SQLITE_LOCKED =>
            new HubStorageException($"{path} is in use by another process. Only one hub can run on a data directory.", e),
        _ => new HubStorageException($"{path} cannot be opened: {e.Message} Check that the directory exists, is writable and has space.", e),
    };

    private HubStorageException Damaged(string detail, Exception? cause) => new(
        $"{path} is damaged ({detail}). It holds the fleet, so the hub does not start without it and has changed nothing. " +
        $"Stop the hub and put a backup in its place (hub.db, hub.db-wal and hub.db-shm belong together), or save what can be read: " +
        $"sqlite3 '{path}' .recover | sqlite3 recovered.db. Nodes keep running their workloads meanwhile. " +
        "To give up the fleet and start anew, move the whole data directory away.",
        cause);
}

/// <summary>The hub's files are not in a state to run on; the message says what to do.</summary>
internal sealed class HubStorageException(string message, Exception? cause = null) : Exception(message, cause);
