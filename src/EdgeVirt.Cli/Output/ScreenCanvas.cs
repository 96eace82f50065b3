namespace EdgeVirt.Cli.Output;

/// <summary>A terminal that is drawn over again and again. Disposing leaves it as it was, with the last picture on it.</summary>
internal sealed class ScreenCanvas : IDisposable
{
    private const int SerialColumns = 80;
    private const int SerialRows = 24;
    private const int FewestColumns = 40;
    private const int FewestRows = 12;

    private readonly Terminal terminal;
    private readonly IDisposable? raw;
    private readonly IDisposable resizes;
    private TaskCompletionSource resized = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string last = "";

    /// <summary>Takes the terminal.</summary>
    /// <param name="terminal">Which.</param>
    /// <param name="quit">Called when somebody types q or Ctrl-C.</param>
    public ScreenCanvas(Terminal terminal, Action quit)
    {
        this.terminal = terminal;
        // What is typed would be echoed into the picture.
        raw = terminal.InIsTerminal ? terminal.EnterRaw() : null;
        resizes = terminal.WatchSize(() => resized.TrySetResult());
        if (raw is not null)
        {
            _ = Task.Run(() => WatchKeys(terminal.InBytes, quit));
        }

        // Neither a cursor nor lines that go on below.
        Write(IsSteered ? "\e[?25l\e[?7l\e[2J" : "");
    }

    /// <summary>Completes when the terminal has got another size since the last <see cref="Draw"/>.</summary>
    public Task Resized => resized.Task;

    // A terminal without addressing of its cursor gets the picture anew when it is another one.
    private bool IsSteered => terminal.Variable("TERM") is not (null or "dumb");

    // Those that are known to have colours; a real VT100 or VT220 does not.
    private bool HasColours => terminal.Colours && terminal.Variable("TERM") is { } term
        && (term.Contains("color", StringComparison.Ordinal) || term.Split('-')[0] is "linux" or "xterm" or "screen" or "tmux" or "rxvt");

    /// <summary>Draws a picture.</summary>
    public void Draw(ScreenContent content)
    {
        resized = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var size = terminal.Size() is { Columns: > 0, Rows: > 0 } known ? known : null;
        var columns = Math.Max(FewestColumns, (int)(size?.Columns ?? SerialColumns));
        var rows = Math.Max(FewestRows, (int)(size?.Rows ?? SerialRows));
        var lines = ScreenView.Lines(content, rows).Take(rows).Select(line => line.Render(columns, HasColours)).ToList();
        if (IsSteered)
        {
            // The last line has no end, or the terminal would move up.
            Write($"\e[H{string.Join("\e[K\r\n", lines)}\e[K\e[J");
        }
        else if (string.Join("\r\n", lines.Skip(1)) is var picture && picture != last)
        {
            last = picture;
            Write(string.Join("\r\n", lines) + "\r\n\r\n");
        }
    }

    public void Dispose()
    {
        Write(IsSteered ? "\e[0m\e[?7h\e[?25h\r\n" : "");
        resizes.Dispose();
        raw?.Dispose();
    }

    private static void WatchKeys(Stream keys, Action quit)
    {
        var key = new byte[1];
        try
        {
            while (keys.Read(key) > 0)
            {
                if (key[0] is (byte)'q' or (byte)'Q' or 3)
                {
                    quit();
                    return;
                }
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // A terminal that went away types no more.
        }
    }

    private void Write(string text)
    {
        terminal.Out.Write(text);
        terminal.Flush();
    }
}
