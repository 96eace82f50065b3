using System.Globalization;
using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli.Flash;

/// <summary>Shows on standard error how far each target is: bars that renew themselves on a terminal, elsewhere a line every few seconds.</summary>
/// <param name="terminal">Where.</param>
/// <param name="runs">The targets.</param>
/// <param name="bytes">How much each of them writes, and reads back.</param>
internal sealed class FlashProgress(Terminal terminal, IReadOnlyList<TargetRun> runs, long bytes)
{
    private const int BarWidth = 24;
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan TerminalInterval = TimeSpan.FromMilliseconds(200);
    private readonly Pace[] paces = [.. runs.Select(_ => new Pace(terminal.Time.GetTimestamp()))];

    /// <summary>Shows until <paramref name="done"/>.</summary>
    public async Task ShowAsync(CancellationToken done)
    {
        var shown = false;
        try
        {
            while (true)
            {
                await Task.Delay(terminal.ErrorIsTerminal ? TerminalInterval : PlainInterval, terminal.Time, done);
                Show(shown);
                shown = true;
            }
        }
        catch (OperationCanceledException)
        {
            if (terminal.ErrorIsTerminal && shown)
            {
                Show(shown);
            }
        }
    }

    /// <summary>One target's line.</summary>
    internal static string Line(string name, FlashPhase phase, long done, long bytes, double rate)
    {
        var part = Math.Clamp((double)done / Math.Max(1, 2 * bytes), 0, 1);
        var filled = (int)(part * BarWidth);
        var word = phase switch
        {
            FlashPhase.Waiting => "waiting",
            FlashPhase.Writing => "writing",
            FlashPhase.Verifying => "reading back",
            FlashPhase.Settings => "settings",
            _ => "over",
        };
        var left = phase is FlashPhase.Writing or FlashPhase.Verifying && rate > 0 ? $"  {Durations.Format(TimeSpan.FromSeconds(Math.Ceiling(((2 * bytes) - done) / rate)))} left" : "";
        return string.Create(CultureInfo.InvariantCulture, $"{name}  [{new string('#', filled)}{new string('.', BarWidth - filled)}] {part * 100,3:0} %  {word,-12}  {rate / (1 << 20),6:0.0} MiB/s{left}");
    }

    private void Show(bool again)
    {
        var lines = runs.Select((run, i) => Line(run.Name, run.Phase, run.Done, bytes, paces[i].Of(run.Done, terminal.Time))).ToList();
        var back = again && terminal.ErrorIsTerminal ? $"\e[{lines.Count}A" : "";
        var room = terminal.OutIsTerminal ? terminal.Width : 100;
        terminal.Error.Write(back + string.Concat(lines.Select(Plain.Line).Select(line => terminal.ErrorIsTerminal ? $"\r\e[2K{(line.Length < room ? line : line[..(room - 1)])}\n" : line + "\n")));
    }

    /// <summary>Bytes per second of late.</summary>
    private sealed class Pace(long began)
    {
        private const double Weight = 0.2;
        private long at = began;
        private long before;
        private double rate;

        public double Of(long done, TimeProvider time)
        {
            var now = time.GetTimestamp();
            if (time.GetElapsedTime(at, now).TotalSeconds is > 0 and var seconds)
            {
                var latest = (done - before) / seconds;
                rate = rate == 0 ? latest : (rate * (1 - Weight)) + (latest * Weight);
            }

            (at, before) = (now, done);
            return rate;
        }
    }
}
