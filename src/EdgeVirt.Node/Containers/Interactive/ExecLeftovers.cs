using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers.Interactive;

/// <summary>At start: ends programs for which an earlier run of this agent can no longer answer, since it was killed.</summary>
internal sealed partial class ExecLeftovers(NodeDirectories directories, MarkedProcesses marked, ILogger<ExecLeftovers> log) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (marked.KillAll() is var count and > 0)
        {
            LogEnded(count);
        }

        var folder = Path.Combine(directories.Private, "exec");
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(Level = LogLevel.Warning, Message = "Ended {Count} processes that someone had started in containers by exec before the agent was killed")]
    private partial void LogEnded(int count);
}
