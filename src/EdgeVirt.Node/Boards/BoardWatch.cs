using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Boards;

/// <summary>
/// Looks after the board: says what its settings came to, reads its storage once an hour, and notes the time every ten minutes and at the end, for a board whose
/// clock does not outlive a power cut.
/// </summary>
internal sealed partial class BoardWatch(
    NodeOptions options, BoardReading reading, SmartReading smart, NodeConditions conditions, TimeProvider time, ILogger<BoardWatch> log) : BackgroundService
{
    private const int TicksPerReading = 6;
    private static readonly TimeSpan Tick = TimeSpan.FromMinutes(10);

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        NoteTime();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        TellSettings();
        for (var tick = 0; ; tick++)
        {
            NoteTime();
            if (tick % TicksPerReading == 0)
            {
                var (status, reason, message) = StorageWear.Judge(await reading.ReadStorageAsync(smart, stoppingToken));
                conditions.Set(ConditionTypes.StorageWorn, status, reason, message);
            }

            await Task.Delay(Tick, time, stoppingToken);
        }
    }

    private void TellSettings()
    {
        try
        {
            var path = BoardPaths.FaultsOf(options.RunDir);
            if (!File.Exists(path))
            {
                return;
            }

            var faults = File.ReadAllLines(path);
            var what = string.Join("; ", faults);
            if (faults.Length > 0)
            {
                LogFaults(what);
            }

            conditions.Set(
                ConditionTypes.BoardSettings,
                faults.Length == 0 ? ConditionStatus.True : ConditionStatus.False,
                faults.Length == 0 ? BoardSettingsReasons.Applied : BoardSettingsReasons.Invalid,
                faults.Length == 0 ? null : $"Correct edgevirt/settings.json on the first partition of the card: {what}.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNoFaults(e);
        }
    }

    // Only where edgevirt-agent prepare has made the board's directory: elsewhere nobody reads it.
    private void NoteTime()
    {
        try
        {
            if (Directory.Exists(BoardPaths.DirectoryOf(options.DataDir)))
            {
                var path = BoardPaths.ClockOf(options.DataDir);
                File.Open(path, FileMode.OpenOrCreate).Dispose();
                File.SetLastWriteTimeUtc(path, time.GetUtcNow().UtcDateTime);
                DurableFile.Sync(path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNoClock(e);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The settings of this board are not all in force: {Faults}")]
    private partial void LogFaults(string faults);

    [LoggerMessage(Level = LogLevel.Warning, Message = "What came of the board's settings cannot be read")]
    private partial void LogNoFaults(Exception e);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The time could not be noted: after a power cut the clock may start earlier")]
    private partial void LogNoClock(Exception e);
}
