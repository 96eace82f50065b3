using System.Text;

namespace EdgeVirt.Testing;

/// <summary>A program at a terminal of its own, at which the test types.</summary>
public sealed class TerminalSession : IAsyncDisposable
{
    private readonly FileStream keys;

    internal TerminalSession(string command, string name)
    {
        Command.Run("mkfifo", name + ".keys");
        // Open both ways, so that neither side waits for the other.
        keys = new FileStream(name + ".keys", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
        Process = ChildProcess.Start(
            "sh", ["-c", "exec script --quiet --return --flush --command \"$0\" /dev/null < \"$1\"", command, name + ".keys"], name + ".log");
    }

    public ChildProcess Process { get; }

    /// <summary>All that it showed.</summary>
    public string Shown => Process.LogTail(int.MaxValue);

    /// <summary>Types.</summary>
    public async Task TypeAsync(string text) => await keys.WriteAsync(Encoding.ASCII.GetBytes(text));

    /// <summary>Waits until it shows something.</summary>
    public Task UntilShownAsync(string text) =>
        Process.WaitUntilAsync($"showing '{text}'", () => Task.FromResult(Shown.Contains(text, StringComparison.Ordinal)), TimeSpan.FromSeconds(30));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Process.DisposeAsync();
        await keys.DisposeAsync();
    }
}
