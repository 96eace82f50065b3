using EdgeVirt.Linux;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Boards;

/// <summary>Restarts the whole system.</summary>
internal delegate Task RestartSystem(CancellationToken ct);

/// <summary>Restarts the board a moment after it was asked to, so that who asked gets an answer.</summary>
internal sealed partial class Restart(RestartSystem restart, TimeProvider time, ILogger<Restart> log) : BackgroundService
{
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(1);

    private readonly TaskCompletionSource asked = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>By systemd, which ends everything in order first.</summary>
    public static Task BySystemd(CancellationToken ct) => ProcessRunner.RunAsync("systemctl", ["reboot", "--no-block"], TimeSpan.FromSeconds(30), ct: ct);

    /// <summary>Asks for it.</summary>
    public void Ask() => asked.TrySetResult();

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await asked.Task.WaitAsync(stoppingToken);
        await Task.Delay(Moment, time, stoppingToken);
        try
        {
            LogRestart();
            await restart(stoppingToken);
        }
        catch (IOException e)
        {
            LogFailed(e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The board restarts, as asked for on it")]
    private partial void LogRestart();

    [LoggerMessage(Level = LogLevel.Error, Message = "The board cannot be restarted ({Reason}); switch it off and on")]
    private partial void LogFailed(string reason);
}
