using System.Collections.Concurrent;
using System.Globalization;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers.Logs;

/// <summary>Where conmon writes a run's log.</summary>
/// <param name="Path">The file.</param>
/// <param name="MaxSizeBytes">When conmon begins the next one.</param>
internal sealed record LogTarget(string Path, long MaxSizeBytes);

/// <summary>Holds the logs of what runs within their limits: it watches for files that turn over, which conmon does by itself.</summary>
internal sealed partial class LogRotation : IDisposable
{
    private readonly NodeDirectories directories;
    private readonly RecordStore records;
    private readonly LogsOptions options;
    private readonly ILogger<LogRotation> log;
    private readonly ConcurrentDictionary<string, RunLog> logs = new();
    private readonly ConcurrentDictionary<string, FileSystemWatcher> watchers = new();
    private static readonly TimeSpan TotalInterval = TimeSpan.FromSeconds(10);

    private readonly TimeProvider time;
    private readonly Lock opening = new();
    private readonly MemoryLogs memory;
    private ITimer? total;
    private bool hasGrown = true;

    public LogRotation(NodeDirectories directories, RecordStore records, LogsOptions options, TimeProvider time, ILogger<LogRotation> log)
    {
        (this.directories, this.records, this.options, this.time, this.log) = (directories, records, options, time, log);
        memory = new MemoryLogs(directories, records, options, time, (id, e) => LogNotKept(id, e.Message));
    }

    /// <summary>Takes over the logs of what runs, and removes names of what does not. Called once, before anything is started.</summary>
    public void Recover()
    {
        Directory.CreateDirectory(directories.LiveLogs);
        Watch(directories.LiveLogs);
        Adopt(directories.LiveLogs, isInMemory: false);
        if (Mounts.IsMounted(directories.MemoryLogs))
        {
            OpenMemory();
            Adopt(directories.MemoryLogs, isInMemory: true);
        }

        SettleAll();
        total = time.CreateTimer(_ => Guarded("all", HoldTotal), null, TotalInterval, TotalInterval);
    }

    /// <summary>Makes ready what a new run's conmon is to write.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public LogTarget Begin(ContainerRecord record)
    {
        var limits = options.With(record.Logs);
        var isInMemory = limits.Storage == LogStorage.Memory;
        if (isInMemory)
        {
            OpenMemory();
            memory.Begin(record.Id);
        }
        else
        {
            memory.Forget(record.Id);
        }

        var begun = New(record.Id, isInMemory);
        begun.Files.Begin();
        logs[record.Id] = begun;
        Volatile.Write(ref hasGrown, true);
        return new LogTarget(isInMemory ? directories.MemoryLog(record.Id) : directories.LiveLog(record.Id), limits.PieceBytes);
    }

    /// <summary>
    /// Leaves of a run's log what is kept. Its conmon has ended. Of one that failed everything is on the disk then; of another
    /// what is in memory goes there in its time.
    /// </summary>
    public void End(ContainerRecord record)
    {
        var ended = logs.TryRemove(record.Id, out var known) ? known : New(record.Id, Directory.Exists(directories.MemoryPieces(record.Id)));
        Guarded(record.Id, () =>
        {
            ended.Files.End(KeptOf(ended, record.Logs));
            if (ended.IsInMemory && record.Exit is { Code: not 0 })
            {
                memory.Flush(record.Id);
            }
        });
    }

    public void Dispose()
    {
        total?.Dispose();
        foreach (var watcher in watchers.Values)
        {
            watcher.Dispose();
        }

        // A watch does not wait for what it has begun.
        foreach (var run in logs.Values)
        {
            run.Files.Leave();
        }

        memory.Dispose();
    }

    private RunLog New(string id, bool isInMemory) => isInMemory
        ? new(new RotatedLog(directories.MemoryLog(id), directories.MemoryPieces(id)), true)
        : new(new RotatedLog(directories.LiveLog(id), directories.Container(id)), false);

    // In memory nothing is kept for its own sake: what is complete goes to the disk, and the limits hold there.
    private int KeptOf(RunLog run, LogsSpec? spec) => run.IsInMemory ? MemoryLogs.MostPieces : options.With(spec).PiecesKept;

    private void OpenMemory()
    {
        lock (opening)
        {
            if (watchers.ContainsKey(directories.MemoryLogs))
            {
                return;
            }

            Directory.CreateDirectory(directories.MemoryLogs);
            if (!Mounts.IsMounted(directories.MemoryLogs))
            {
                var size = options.MemorySizeBytes.ToString(CultureInfo.InvariantCulture);
                Mounts.Mount("edgevirt", directories.MemoryLogs, "tmpfs", MountFlags.NoSuid | MountFlags.NoDev | MountFlags.NoExec, $"mode=0700,size={size}");
            }

            Watch(directories.MemoryLogs);
            memory.Start();
        }
    }

    private void Watch(string directory)
    {
        var watcher = new FileSystemWatcher(directory) { NotifyFilter = NotifyFilters.FileName };
        watcher.Renamed += (_, turned) => SettleOf(turned.FullPath);
        // A renaming whose halves came apart.
        watcher.Created += (_, made) => SettleOf(made.FullPath);
        watcher.Error += (_, _) => SettleAll();
        watcher.EnableRaisingEvents = true;
        watchers[directory] = watcher;
    }

    private void Adopt(string directory, bool isInMemory)
    {
        foreach (var path in Directory.EnumerateFiles(directory))
        {
            if (records.FindContainer(NodeDirectories.IdOfLiveLog(path)) is { Retired: false } record)
            {
                logs[record.Id] = New(record.Id, isInMemory);
            }
            else
            {
                File.Delete(path);
            }
        }
    }

    private void SettleOf(string path)
    {
        var id = NodeDirectories.IdOfLiveLog(path);
        if (logs.TryGetValue(id, out var run))
        {
            Settle(id, run);
        }
    }

    private void SettleAll()
    {
        foreach (var (id, run) in logs)
        {
            Settle(id, run);
        }
    }

    private void Settle(string id, RunLog run) => Guarded(id, () =>
    {
        if (!run.Files.Settle(KeptOf(run, records.FindContainer(id)?.Logs)))
        {
            LogLost(id);
        }

        Volatile.Write(ref hasGrown, true);
        if (run.IsInMemory)
        {
            memory.Turned(id);
        }
    });

    // Each log has its limits, so that all together grow only when one turns over or begins.
    private void HoldTotal()
    {
        if (!Interlocked.Exchange(ref hasGrown, false))
        {
            return;
        }

        var surplus = LogTotal.Surplus(LogTotal.Read(directories, records), options.MaxTotalSizeBytes);
        foreach (var piece in surplus)
        {
            File.Delete(piece.Path);
        }

        if (surplus.Count > 0)
        {
            LogSurplus(surplus.Sum(piece => piece.Length), options.MaxTotalSizeBytes);
        }
    }

    // On a watch's own thread, where nobody else would catch it.
    private void Guarded(string id, Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotKept(id, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Lines of {Id} may be lost: it wrote two log files full before they could be kept; raise logs.maxSize, or have it write less")]
    private partial void LogLost(string id);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The log of {Id} could not be kept: {Problem}")]
    private partial void LogNotKept(string id, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Removed {Bytes} bytes of the oldest logs: all together were over logs.maxTotalSize, {Most} bytes")]
    private partial void LogSurplus(long bytes, long most);

    private sealed record RunLog(RotatedLog Files, bool IsInMemory);
}
