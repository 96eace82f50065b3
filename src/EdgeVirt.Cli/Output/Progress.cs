namespace EdgeVirt.Cli.Output;

/// <summary>
/// Says on standard error that something takes its time: after two seconds, on a terminal as one line that
/// renews itself, elsewhere as a plain line every few seconds.
/// </summary>
internal sealed class Progress(Terminal terminal, bool quiet)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan TerminalInterval = TimeSpan.FromMilliseconds(200);

    /// <summary>Runs <paramref name="work"/>; what <paramref name="doing"/> says at the time is shown.</summary>
    public async Task<T> WhileAsync<T>(Func<string> doing, Func<CancellationToken, Task<T>> work, CancellationToken ct)
    {
        if (quiet)
        {
            return await work(ct);
        }

        using var done = new CancellationTokenSource();
        var showing = ShowAsync(doing, done.Token);
        try
        {
            return await work(ct);
        }
        finally
        {
            await done.CancelAsync();
            await showing;
        }
    }

    private async Task ShowAsync(Func<string> doing, CancellationToken done)
    {
        var began = terminal.Time.GetTimestamp();
        var shown = false;
        try
        {
            await Task.Delay(Patience, terminal.Time, done);
            while (true)
            {
                var elapsed = Durations.Format(terminal.Time.GetElapsedTime(began));
                shown = true;
                if (terminal.ErrorIsTerminal)
                {
                    var line = Plain.Line($"{doing()} … {elapsed}");
                    var room = terminal.OutIsTerminal ? terminal.Width : 80;
                    terminal.Error.Write($"\r\e[2K{(line.Length < room ? line : line[..(room - 1)])}");
                }
                else
                {
                    terminal.Error.WriteLine(Plain.Line($"{doing()} ({elapsed})"));
                }

                await Task.Delay(terminal.ErrorIsTerminal ? TerminalInterval : PlainInterval, terminal.Time, done);
            }
        }
        catch (OperationCanceledException)
        {
            if (shown && terminal.ErrorIsTerminal)
            {
                terminal.Error.Write("\r\e[2K");
            }
        }
    }
}
