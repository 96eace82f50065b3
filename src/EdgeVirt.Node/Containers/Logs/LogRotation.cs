using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers.Logs;

/// <summary>Where conmon writes a run's log.</summary>
/// <param name="Path">The file.</param>
/// <param name="MaxSizeBytes">When conmon begins the next one.</param>
internal sealed record LogTarget(string Path, long MaxSizeBytes);

/// <summary>Holds the logs of what runs within their limits: it watches for files that turn over, which conmon does by itself.</summary>
internal sealed partial class LogRotation(NodeDirectories directories, RecordStore records, LogsOptions options, ILogger<LogRotation> log) : IDisposable
{
    private readonly ConcurrentDictionary<string, RotatedLog> logs = new();
    private FileSystemWatcher? watcher;

    /// <summary>Takes over the logs of what runs, and removes names of what does not. Called once, before anything is started.</summary>
    public void Recover()
    {
        Directory.CreateDirectory(directories.LiveLogs);
        watcher = new FileSystemWatcher(directories.LiveLogs) { NotifyFilter = NotifyFilters.FileName };
        watcher.Renamed += (_, turned) => SettleOf(turned.FullPath);
        // A renaming whose halves came apart.
        watcher.Created += (_, made) => SettleOf(made.FullPath);
        watcher.Error += (_, _) => SettleAll();
        watcher.EnableRaisingEvents = true;
        foreach (var path in Directory.EnumerateFiles(directories.LiveLogs))
        {
            if (records.FindContainer(NodeDirectories.IdOfLiveLog(path)) is { Retired: false } record)
            {
                logs[record.Id] = New(record.Id);
            }
            else
            {
                File.Delete(path);
            }
        }

        SettleAll();
    }

    /// <summary>Makes ready what a new run's conmon is to write.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public LogTarget Begin(ContainerRecord record)
    {
        var rotated = New(record.Id);
        rotated.Begin();
        logs[record.Id] = rotated;
        return new LogTarget(directories.LiveLog(record.Id), options.With(record.Logs).MaxSizeBytes);
    }

    /// <summary>Leaves of a run's log what is kept. Its conmon has ended.</summary>
    public void End(ContainerRecord record)
    {
        var rotated = logs.TryRemove(record.Id, out var known) ? known : New(record.Id);
        Guarded(record.Id, () => rotated.End(options.With(record.Logs).MaxFiles));
    }

    public void Dispose() => watcher?.Dispose();

    private RotatedLog New(string id) => new(directories.LiveLog(id), directories.Container(id));

    private void SettleOf(string path)
    {
        var id = NodeDirectories.IdOfLiveLog(path);
        if (logs.TryGetValue(id, out var rotated))
        {
            Settle(id, rotated);
        }
    }

    private void SettleAll()
    {
        foreach (var (id, rotated) in logs)
        {
            Settle(id, rotated);
        }
    }

    private void Settle(string id, RotatedLog rotated) => Guarded(id, () =>
    {
        if (!rotated.Settle(options.With(records.FindContainer(id)?.Logs).MaxFiles))
        {
            LogLost(id);
        }
    });

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
}
