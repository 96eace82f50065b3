using System.Runtime.CompilerServices;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Node.Containers.Logs;

/// <summary>A log cannot be given. The message says what to ask instead.</summary>
internal sealed class LogsUnavailableException(CloseReason reason, string message) : Exception(message)
{
    public CloseReason Reason { get; } = reason;
}

/// <summary>Reads what containers wrote, also of runs that ended.</summary>
internal sealed class ContainerLogs(NodeDirectories directories, RecordStore records, TimeProvider time)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// The lines that a request asks for. With follow it goes on, over restarts of the container, until cancelled or
    /// until the workload is gone.
    /// </summary>
    /// <exception cref="LogsUnavailableException">No such workload, container or run.</exception>
    public async IAsyncEnumerable<LogLine> ReadAsync(LogsRequest request, [EnumeratorCancellation] CancellationToken ct)
    {
        var record = Find(request);
        var since = request.SinceUnixMs > 0 ? request.SinceUnixMs * 1_000_000 : 0;
        using var first = new LogReader(() => LogPieces.Of(record.Id, directories));
        if (request.Tail >= 0)
        {
            first.SeekToTail(request.Tail);
        }

        foreach (var line in first.ReadNew().Where(line => line.TimeUnixNs >= since))
        {
            yield return line;
        }

        if (!request.Follow || request.Previous)
        {
            yield break;
        }

        await foreach (var line in FollowAsync(first, record, ct))
        {
            yield return line;
        }
    }

    private async IAsyncEnumerable<LogLine> FollowAsync(LogReader open, ContainerRecord record, [EnumeratorCancellation] CancellationToken ct)
    {
        var reader = open;
        try
        {
            while (true)
            {
                await Task.Delay(PollInterval, time, ct);
                // Asked before reading: what was written before the end is then read for sure.
                var runs = Runs(record.Workload, record.Container);
                foreach (var line in reader.ReadNew())
                {
                    yield return line;
                }

                if (runs.Count == 0)
                {
                    yield break;
                }

                if (runs.LastOrDefault(run => run.Attempt > record.Attempt) is { } next)
                {
                    record = next;
                    reader.Dispose();
                    reader = new LogReader(() => LogPieces.Of(next.Id, directories));
                }
            }
        }
        finally
        {
            reader.Dispose();
        }
    }

    private ContainerRecord Find(LogsRequest request)
    {
        var all = records.Containers.Where(container => container.Workload == request.Workload).ToList();
        var names = all.Select(container => container.Container).Distinct().Order(StringComparer.Ordinal).ToList();
        if (names.Count == 0)
        {
            throw new LogsUnavailableException(CloseReason.NotFound, $"workload '{request.Workload}' has no container on this node");
        }

        var name = request.Container.Length > 0 ? request.Container : names[0];
        if (request.Container.Length == 0 && names.Count > 1)
        {
            throw new LogsUnavailableException(
                CloseReason.Invalid, $"workload '{request.Workload}' has several containers; name one of {string.Join(", ", names)}");
        }

        var runs = Runs(request.Workload, name);
        if (runs.Count == 0)
        {
            throw new LogsUnavailableException(
                CloseReason.NotFound, $"workload '{request.Workload}' has no container '{name}'; it has {string.Join(", ", names)}");
        }

        return !request.Previous
            ? runs[0]
            : runs.Count > 1
                ? runs[1]
                : throw new LogsUnavailableException(CloseReason.NotFound, $"container '{name}' has not been restarted; ask without previous");
    }

    private List<ContainerRecord> Runs(string workload, string container) =>
        [.. records.Containers.Where(run => run.Workload == workload && run.Container == container).OrderByDescending(run => run.Attempt)];
}
