using System.Globalization;
using EdgeVirt.Node.Containers.Oci;

namespace EdgeVirt.Node.Containers.Logs;

/// <summary>
/// The files of a run's log: the one that conmon writes, on disk or in memory, and on disk those before it, numbered as they
/// age. Whoever comes anew finds all by their names.
/// </summary>
internal static class LogArchive
{
    private const string Leaving = ".flush";
    private static readonly TimeSpan MonitorPatience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MonitorPause = TimeSpan.FromMilliseconds(5);

    // A run that ends is flushed by its owner, while the rotation may be at it.
    private static readonly Lock Gate = new();

    /// <summary>Where conmon is to write for a new run; makes its directory.</summary>
    public static string Begin(string id, NodeDirectories directories)
    {
        if (directories.Logs.Storage == LogStorage.Memory)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(directories.MemoryLog(id))!);
        }

        return Live(id, directories);
    }

    /// <summary>The file that conmon writes, or would.</summary>
    public static string Live(string id, NodeDirectories directories) => IsInMemory(id, directories) ? directories.MemoryLog(id) : directories.Log(id);

    /// <summary>All that a run wrote and that is kept, the oldest first; the last is <see cref="Live"/>.</summary>
    public static IReadOnlyList<string> Files(string id, NodeDirectories directories)
    {
        var (disk, live) = (directories.Log(id), Live(id, directories));
        string[] before = live == disk ? [] : [disk, live + Leaving];
        return [.. Aged(disk).AsEnumerable().Reverse(), .. before.Where(File.Exists), live];
    }

    /// <summary>Puts what a run left in memory on disk, where its directory still is, and lets the memory go. Its conmon has ended.</summary>
    /// <exception cref="IOException">The disk refused; what was not written stays in memory.</exception>
    public static void End(string id, NodeDirectories directories)
    {
        if (!IsInMemory(id, directories))
        {
            return;
        }

        lock (Gate)
        {
            if (Directory.Exists(directories.Container(id)))
            {
                Append(directories.MemoryLog(id) + Leaving, directories.Log(id));
                Append(directories.MemoryLog(id), directories.Log(id));
            }

            Directory.Delete(Path.GetDirectoryName(directories.MemoryLog(id))!, recursive: true);
        }
    }

    /// <summary>Holds a running container's log within its limits, and with <paramref name="flush"/> brings to disk what is in memory.</summary>
    /// <exception cref="IOException">The disk refused; it is tried again the next time.</exception>
    public static async Task KeepAsync(string id, bool flush, NodeDirectories directories, TimeProvider time)
    {
        var (live, limits) = (Live(id, directories), directories.Logs);
        var inMemory = live != directories.Log(id);
        var length = LengthOf(live);
        if (inMemory && length > 0 && (flush || length >= limits.FlushBytes))
        {
            await LeaveAsync(id, live, directories, time);
        }

        if (LengthOf(directories.Log(id)) >= limits.MaxSizeBytes)
        {
            lock (Gate)
            {
                Age(directories.Log(id), limits.MaxFiles);
            }

            if (!inMemory)
            {
                ConmonControl.ReopenLog(directories.Bundle(id));
            }
        }
    }

    private static async Task LeaveAsync(string id, string live, NodeDirectories directories, TimeProvider time)
    {
        lock (Gate)
        {
            if (!File.Exists(live))
            {
                return;
            }

            // What an agent that was ended in between left.
            Append(live + Leaving, directories.Log(id));
            File.Move(live, live + Leaving);
        }

        // conmon writes on in the file that it has until it has heard.
        ConmonControl.ReopenLog(directories.Bundle(id));
        var began = time.GetTimestamp();
        while (!File.Exists(live) && time.GetElapsedTime(began) < MonitorPatience)
        {
            await Task.Delay(MonitorPause, time);
        }

        lock (Gate)
        {
            Append(live + Leaving, directories.Log(id));
        }
    }

    private static void Append(string from, string to)
    {
        if (!File.Exists(from))
        {
            return;
        }

        using (FileStream source = new(from, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete), target = new(to, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
        {
            source.CopyTo(target);
            target.Flush(flushToDisk: true);
        }

        File.Delete(from);
    }

    private static void Age(string path, int files)
    {
        if (!File.Exists(path))
        {
            return;
        }

        foreach (var old in Aged(path).Skip(Math.Max(0, files - 2)))
        {
            File.Delete(old);
        }

        var kept = Aged(path);
        for (var number = kept.Count; number > 0; number--)
        {
            File.Move(Numbered(path, number), Numbered(path, number + 1), overwrite: true);
        }

        if (files > 1)
        {
            File.Move(path, Numbered(path, 1), overwrite: true);
        }
        else
        {
            File.Delete(path);
        }
    }

    // From 1, the newest, without a gap.
    private static List<string> Aged(string path) =>
        [.. Enumerable.Range(1, 1000).Select(number => Numbered(path, number)).TakeWhile(File.Exists)];

    private static string Numbered(string path, int number) => $"{path}.{number.ToString(CultureInfo.InvariantCulture)}";

    private static bool IsInMemory(string id, NodeDirectories directories) => Directory.Exists(Path.GetDirectoryName(directories.MemoryLog(id)));

    private static long LengthOf(string path) => new FileInfo(path) is { Exists: true } file ? file.Length : 0;
}
