using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Boards;
using EdgeVirt.Linux;
using EdgeVirt.Node.Control;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Boards;

/// <summary>Whether every reconciler has run once.</summary>
internal delegate bool IsStarted();

/// <summary>Keeps the board's light at what the node is, where the board has one (<see cref="BoardDefinition.StatusLed"/>), and gives it back at the end.</summary>
internal sealed partial class StatusLedService(
    NodeOptions options, BoardTree board, LocalSummarySource source, IsStarted isStarted, TimeProvider time, ILogger<StatusLedService> log) : BackgroundService
{
    private static readonly TimeSpan LookAnyway = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LookWhileStarting = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Coalesce = TimeSpan.FromMilliseconds(500);

    private readonly string former = Path.Combine(options.RunDir, "led.trigger");
    private string? lastComplaint;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        if (FindName() is not { } name)
        {
            return;
        }

        var led = new StatusLed(Path.Combine(board.Leds, name));
        var wake = new WakeSignal();
        using var subscription = source.Subscribe(wake.Set);
        try
        {
            while (true)
            {
                var started = isStarted();
                var code = StatusLedCodes.Of(await source.ReadAsync(stoppingToken), started);
                Try(() =>
                {
                    Remember(led);
                    led.Show(code);
                });
                if (await wake.WaitAsync(started ? LookAnyway : LookWhileStarting, time, stoppingToken))
                {
                    await Task.Delay(Coalesce, time, stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            Try(() => Restore(led));
        }
    }

    private string? FindName()
    {
        try
        {
            var name = File.Exists(board.Definition)
                ? JsonSerializer.Deserialize(File.ReadAllBytes(board.Definition), ContractsJson.Default.BoardDefinition)?.StatusLed
                : null;
            if (name is null || (!name.Contains('/', StringComparison.Ordinal) && name is not (".." or ".")))
            {
                return name;
            }

            LogFailed($"{board.Definition}: '{name}' is no name of a light");
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            LogFailed($"{board.Definition}: {e.Message}");
        }

        return null;
    }

    // An agent that was killed has left its own code there: what was before it is in the file.
    private void Remember(StatusLed led)
    {
        if (!File.Exists(former))
        {
            DurableFile.Replace(former, System.Text.Encoding.UTF8.GetBytes(led.Trigger ?? "none"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
    }

    private void Restore(StatusLed led)
    {
        if (File.Exists(former))
        {
            led.Restore(File.ReadAllText(former));
            File.Delete(former);
        }
    }

    private void Try(Action act)
    {
        try
        {
            act();
            lastComplaint = null;
        }
        catch (IOException e)
        {
            if (lastComplaint != e.Message)
            {
                lastComplaint = e.Message;
                LogFailed(e.Message);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The board's light cannot show how the node is: {Reason}")]
    private partial void LogFailed(string reason);
}
