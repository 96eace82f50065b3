using System.Globalization;
using System.Text;
using EdgeVirt.Linux;
using EdgeVirt.Node.Reconcile;
using EdgeVirt.Node.State;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node;

/// <summary>
/// Says when the agent is up and that it is alive: to the service manager (READY once the state is loaded, then its
/// watchdog for as long as store and reconcilers move), and in <c>ready</c> in the run directory, which holds the
/// milliseconds from the start of the process until every reconciler had run once.
/// </summary>
internal sealed partial class Readiness(
    NodeOptions options, NodeStore store, ReconcilerHost reconcilers, TimeProvider time, ILogger<Readiness> log) : BackgroundService
{
    // Long enough for the longest step of a pass, which is the pull of a large image over a thin link.
    private static readonly TimeSpan LongestPass = TimeSpan.FromMinutes(30);
    private static readonly TimeSpan LongestProbe = TimeSpan.FromSeconds(10);

    private readonly string mark = Path.Combine(options.RunDir, "ready");

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        Notify.Stopping();
        File.Delete(mark);
        await base.StopAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        File.Delete(mark);
        var desired = await store.ReadDesiredAsync(stoppingToken);
        Notify.Ready();
        await Task.WhenAll(MarkAsync(desired.Revision, stoppingToken), WatchAsync(stoppingToken));
    }

    private async Task MarkAsync(ulong revision, CancellationToken ct)
    {
        await reconcilers.FirstPasses.WaitAsync(ct);
        var milliseconds = SinceProcessStart();
        LogReady(milliseconds, revision);
        DurableFile.Write(mark, Encoding.ASCII.GetBytes(milliseconds.ToString(CultureInfo.InvariantCulture) + "\n"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
    }

    private async Task WatchAsync(CancellationToken ct)
    {
        if (Notify.WatchdogInterval is not { } interval)
        {
            return;
        }

        while (true)
        {
            if (await IsAliveAsync(ct))
            {
                Notify.Watchdog();
            }
            else
            {
                LogStuck();
            }

            await Task.Delay(interval, time, ct);
        }
    }

    private async Task<bool> IsAliveAsync(CancellationToken ct)
    {
        try
        {
            await store.ProbeAsync(ct).WaitAsync(LongestProbe, time, ct);
            return reconcilers.IsLive(LongestPass);
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    // Field 22 of /proc/self/stat: start in clock ticks (100 a second) since boot; the name before it may hold spaces.
    private static long SinceProcessStart()
    {
        var stat = File.ReadAllText("/proc/self/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        var started = long.Parse(fields[19], CultureInfo.InvariantCulture) * 10;
        var uptime = double.Parse(File.ReadAllText("/proc/uptime").Split(' ')[0], CultureInfo.InvariantCulture) * 1000;
        return (long)uptime - started;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Ready after {Milliseconds} ms, with desired revision {Revision}")]
    private partial void LogReady(long milliseconds, ulong revision);

    [LoggerMessage(Level = LogLevel.Critical, Message = "Store or reconcilers do not move: the service manager's watchdog is no longer fed")]
    private partial void LogStuck();
}
