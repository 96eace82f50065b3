using System.Collections.Concurrent;
using System.Threading.Channels;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;

namespace EdgeVirt.Node.Containers.Logs;

/// <summary>
/// Logs whose newest lines are in memory, and go to the disk in one append, seldom, so that flash is spared. A piece has the
/// same number in both places, and on the disk is the beginning of what it is in memory: an agent that was killed between
/// finds by the lengths where to go on.
/// </summary>
/// <param name="directories">Where both are.</param>
/// <param name="records">Whose they are.</param>
/// <param name="options">Of the node.</param>
/// <param name="time">Says when a run's lines are due.</param>
/// <param name="failed">Is told whose lines could not be brought to the disk; they are tried again.</param>
internal sealed class MemoryLogs(NodeDirectories directories, RecordStore records, LogsOptions options, TimeProvider time, Action<string, IOException> failed) : IDisposable
{
    /// <summary>Bytes of a piece: small, because that which is being written cannot be freed.</summary>
    public const long PieceBytes = 256 << 10;

    /// <summary>Pieces of a run in memory; a disk that is slower than what is written loses the older ones.</summary>
    public const int MostPieces = 8;

    private const int FullPieces = 2;
    private const int MostWanted = 1024;
    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, long> flushed = new();
    private readonly Channel<string> wanted = Channel.CreateBounded<string>(new BoundedChannelOptions(MostWanted) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Lock gate = new();
    private ITimer? check;
    private Task? flushing;

    /// <summary>Begins to look after them.</summary>
    public void Start()
    {
        flushing = FlushWantedAsync();
        check = time.CreateTimer(_ => Check(), null, CheckInterval, CheckInterval);
    }

    /// <summary>Before a new run: nothing of one of the same name is left.</summary>
    public void Begin(string id)
    {
        Forget(id);
        Directory.CreateDirectory(directories.MemoryPieces(id));
        flushed[id] = time.GetTimestamp();
    }

    /// <summary>A run has begun its next piece. Where full ones have gathered they go to the disk before their time.</summary>
    public void Turned(string id)
    {
        if (LogPieces.In(directories.MemoryPieces(id)).Count(piece => piece.Length > 0) > FullPieces)
        {
            wanted.Writer.TryWrite(id);
        }
    }

    /// <summary>Brings to the disk what is in memory of a run, and frees the pieces that are complete.</summary>
    /// <exception cref="IOException">The disk refused; what is not there yet stays in memory.</exception>
    public void Flush(string id)
    {
        lock (gate)
        {
            var (memory, disk) = (directories.MemoryPieces(id), directories.Container(id));
            if (records.FindContainer(id) is not { } record || !Directory.Exists(disk))
            {
                Forget(id);
                return;
            }

            flushed[id] = time.GetTimestamp();
            var writing = HardLinks.Identify(directories.MemoryLog(id));
            var pieces = LogPieces.In(memory);
            // Appended to one after the other; nearly always it is one alone.
            foreach (var piece in pieces.Where(piece => piece.Length > 0))
            {
                Append(piece.Path, LogPieces.PathOf(disk, piece.Number));
            }

            var current = writing is null ? int.MaxValue : pieces.LastOrDefault(piece => writing.Value.IsSameAs(HardLinks.Identify(piece.Path)))?.Number ?? 0;
            foreach (var piece in pieces.Where(piece => piece.Number < current && piece.Length > 0))
            {
                File.Delete(piece.Path);
            }

            foreach (var old in LogPieces.In(disk).SkipLast(options.With(record.Logs).PiecesKept))
            {
                File.Delete(old.Path);
            }

            if (writing is null)
            {
                Forget(id);
            }
        }
    }

    /// <summary>Removes what is in memory of a run.</summary>
    public void Forget(string id)
    {
        flushed.TryRemove(id, out _);
        if (Directory.Exists(directories.MemoryPieces(id)))
        {
            Directory.Delete(directories.MemoryPieces(id), recursive: true);
        }
    }

    /// <summary>Brings everything to the disk: the agent ends, and the node perhaps with it.</summary>
    public void Dispose()
    {
        check?.Dispose();
        wanted.Writer.TryComplete();
        foreach (var id in All())
        {
            TryFlush(id);
        }
    }

    internal void Check()
    {
        foreach (var id in All())
        {
            var record = records.FindContainer(id);
            var interval = TimeSpan.FromSeconds(options.With(record?.Logs).FlushIntervalSeconds);
            if (record is null || time.GetElapsedTime(flushed.GetOrAdd(id, _ => time.GetTimestamp())) >= interval)
            {
                TryFlush(id);
            }
        }
    }

    private async Task FlushWantedAsync()
    {
        await foreach (var id in wanted.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            TryFlush(id);
        }
    }

    private void TryFlush(string id)
    {
        try
        {
            Flush(id);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            failed(id, e as IOException ?? new IOException(e.Message, e));
        }
    }

    private IEnumerable<string> All() =>
        Directory.Exists(directories.MemoryLogs) ? Directory.EnumerateDirectories(directories.MemoryLogs).Select(path => Path.GetFileName(path)) : [];

    private static void Append(string from, string to)
    {
        using FileStream source = new(from, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        using FileStream target = new(to, new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate, Access = FileAccess.Write, Share = FileShare.ReadWrite | FileShare.Delete, BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        var isNew = target.Length == 0;
        if (source.Length <= target.Length)
        {
            return;
        }

        source.Position = target.Length;
        target.Position = target.Length;
        source.CopyTo(target);
        target.Flush(flushToDisk: true);
        if (isNew)
        {
            DurableFile.SyncDirectory(Path.GetDirectoryName(to)!);
        }
    }
}
