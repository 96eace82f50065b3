using System.Globalization;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.State;

/// <summary>
/// Where damaged files go: out of the way, dated, kept for a look, bounded in number. A recent entry is what makes
/// the node report <c>StorageHealthy=False</c>.
/// </summary>
internal sealed partial class Quarantine(NodeOptions options, TimeProvider time, ILogger<Quarantine> log)
{
    /// <summary>At most so many entries are kept.</summary>
    public const int MostEntries = 10;

    private const string DateFormat = "yyyyMMdd'T'HHmmss'Z'";
    private static readonly TimeSpan Recent = TimeSpan.FromHours(24);

    private readonly Lock gate = new();
    private readonly List<(DateTimeOffset At, string Loss)> losses = [];

    /// <summary>Raised after something was moved here or was reported lost.</summary>
    public event Action? Changed;

    /// <summary>
    /// Moves a file here and remembers what its damage costs. Never throws: where the move fails, the file is
    /// deleted, and where that fails too, it is logged.
    /// </summary>
    /// <param name="path">The damaged file; it may be missing.</param>
    /// <param name="loss">For people: what was lost by it.</param>
    public void Take(string path, string loss)
    {
        var name = Path.GetFileName(path);
        try
        {
            if (File.Exists(path))
            {
                Directory.CreateDirectory(options.QuarantineDirectory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                File.Move(path, FreeName(name));
                Prune();
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogMoveFailed(path, e);
            TryDelete(path);
        }

        Report($"{name}: {loss}");
    }

    /// <summary>Records a loss for which there is no file.</summary>
    public void Report(string loss)
    {
        LogLoss(loss);
        lock (gate)
        {
            losses.Add((time.GetUtcNow(), loss));
            losses.RemoveRange(0, Math.Max(0, losses.Count - MostEntries));
        }

        Changed?.Invoke();
    }

    /// <summary>What was lost lately, for people; null when nothing was.</summary>
    public string? RecentLosses()
    {
        lock (gate)
        {
            losses.RemoveAll(loss => !IsRecent(loss.At));
            if (losses.Count > 0)
            {
                return string.Join("; ", losses.Select(loss => loss.Loss));
            }
        }

        var recent = Entries().Where(entry => IsRecent(entry.Taken)).Select(entry => Path.GetFileName(entry.Path)).ToList();
        return recent.Count == 0 ? null : $"damaged files lie in {options.QuarantineDirectory}: {string.Join(", ", recent)}";
    }

    private bool IsRecent(DateTimeOffset moment) => (time.GetUtcNow() - moment).Duration() < Recent;

    private string FreeName(string name)
    {
        var date = time.GetUtcNow().ToString(DateFormat, CultureInfo.InvariantCulture);
        for (var i = 0; ; i++)
        {
            var path = Path.Combine(options.QuarantineDirectory, i == 0 ? $"{date}-{name}" : $"{date}-{i}-{name}");
            if (!Path.Exists(path))
            {
                return path;
            }
        }
    }

    private void Prune()
    {
        foreach (var (path, _) in Entries().OrderByDescending(entry => Path.GetFileName(entry.Path), StringComparer.Ordinal).Skip(MostEntries))
        {
            TryDelete(path);
        }
    }

    private IEnumerable<(string Path, DateTimeOffset Taken)> Entries()
    {
        if (!Directory.Exists(options.QuarantineDirectory))
        {
            yield break;
        }

        foreach (var path in Directory.EnumerateFiles(options.QuarantineDirectory))
        {
            var date = Path.GetFileName(path).Split('-')[0];
            if (DateTimeOffset.TryParseExact(date, DateFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var taken))
            {
                yield return (path, taken);
            }
        }
    }

    private void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogMoveFailed(path, e);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Damaged state: {Loss}")]
    private partial void LogLoss(string loss);

    [LoggerMessage(Level = LogLevel.Error, Message = "Cannot move {Path} to quarantine")]
    private partial void LogMoveFailed(string path, Exception e);
}
