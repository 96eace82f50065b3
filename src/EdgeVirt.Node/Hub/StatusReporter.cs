using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Reconcile;
using EdgeVirt.Node.State;
using Google.Protobuf;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Hub;

/// <summary>
/// Tells the hub what was seen: everything when the link comes up or the hub asks, then only what changed. Changes
/// that come together go out together.
/// </summary>
internal sealed partial class StatusReporter(
    NodeStore store, NodeStatusSource node, IdentityFiles identities, MqttLink link, TimeProvider time, ILogger<StatusReporter> log)
{
    private static readonly TimeSpan Coalesce = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan LookAnyway = TimeSpan.FromMinutes(1);

    private readonly string runId = Guid.NewGuid().ToString("N");
    private readonly WakeSignal wake = new();
    private readonly Backoff backoff = new(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));
    private readonly DateTimeOffset started = time.GetUtcNow();
    private Dictionary<(string Kind, string Name), (string Uid, byte[] Json)> told = [];
    private ulong sequence;
    private volatile bool isFullDue = true;
    private TaskCompletionSource<bool> due = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Reports what is to be told from now on; false: it did not get there.</summary>
    public Task<bool> ReportAsync(CancellationToken ct)
    {
        var told = Volatile.Read(ref due).Task;
        wake.Set();
        return told.WaitAsync(ct);
    }

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        using var observed = store.Subscribe(StoreArea.Observed, wake.Set);
        using var desired = store.Subscribe(StoreArea.Desired, wake.Set);
        node.Changed += wake.Set;
        link.Poked += OnPoke;
        link.Connected += OnConnected;
        try
        {
            while (true)
            {
                await link.WhenConnectedAsync(ct);
                wake.Clear();
                var asked = Interlocked.Exchange(ref due, new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously));
                var isTold = await TryReportAsync(ct);
                asked.SetResult(isTold);
                if (!isTold)
                {
                    // Whole reports are large, and the link is metered: a hub that cannot take them is not asked all the time.
                    await Task.Delay(backoff.Next(), time, ct);
                }
                else if (await wake.WaitAsync(LookAnyway, time, ct))
                {
                    await Task.Delay(Coalesce, time, ct);
                }
            }
        }
        finally
        {
            node.Changed -= wake.Set;
            link.Poked -= OnPoke;
            link.Connected -= OnConnected;
        }
    }

    private void OnConnected()
    {
        isFullDue = true;
        wake.Set();
    }

    private void OnPoke(PokeReason reason)
    {
        if (reason == PokeReason.FullStatus)
        {
            OnConnected();
        }
    }

    /// <summary>False: it did not get there, and is due again.</summary>
    private async Task<bool> TryReportAsync(CancellationToken ct)
    {
        var isFull = isFullDue;
        isFullDue = false;
        var now = await ReadAsync(ct);
        var report = new StatusReport { RunId = runId, Sequence = ++sequence, Full = isFull, RunStartedUnixMs = started.ToUnixTimeMilliseconds() };
        foreach (var (key, value) in now)
        {
            if (isFull || !told.TryGetValue(key, out var before) || before.Uid != value.Uid || !before.Json.AsSpan().SequenceEqual(value.Json))
            {
                report.Objects.Add(new ObjectStatus { Kind = key.Kind, Name = key.Name, Uid = value.Uid, StatusJson = UnsafeByteOperations.UnsafeWrap(value.Json) });
            }
        }

        report.Objects.AddRange(isFull ? [] : told.Where(pair => !now.ContainsKey(pair.Key)).Select(pair => new ObjectStatus
        {
            Kind = pair.Key.Kind, Name = pair.Key.Name, Uid = pair.Value.Uid, Removed = true,
        }));
        if (report.Objects.Count == 0)
        {
            return true;
        }

        try
        {
            await link.PublishAsync(TopicChannel.Status, report.ToByteArray(), ct);
        }
        catch (HubUnavailableException e)
        {
            LogFailed(e.Message);
            isFullDue = true;
            return false;
        }
        catch (MessageRefusedException e)
        {
            // The same again would be refused again; what changes from here on may be readable.
            LogRefused(e.Message);
        }

        told = now;
        backoff.Reset();
        return true;
    }

    private async Task<Dictionary<(string Kind, string Name), (string Uid, byte[] Json)>> ReadAsync(CancellationToken ct)
    {
        var now = new Dictionary<(string, string), (string, byte[])>
        {
            [("Node", identities.Current?.Node ?? "")] = ("", JsonSerializer.SerializeToUtf8Bytes(await node.ReadAsync(ct), ContractsJson.Default.NodeStatus)),
        };
        foreach (var workload in await store.ReadObservedAsync(ct))
        {
            now[("Workload", workload.Name)] =
                (workload.Uid, JsonSerializer.SerializeToUtf8Bytes(workload.Status, ContractsJson.Default.WorkloadInstanceStatus));
        }

        foreach (var machine in await store.ReadObservedMachinesAsync(ct))
        {
            now[("VirtualMachine", machine.Name)] =
                (machine.Uid, JsonSerializer.SerializeToUtf8Bytes(machine.Status, ContractsJson.Default.VirtualMachineInstanceStatus));
        }

        return now;
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Status was not delivered: {Reason}")]
    private partial void LogFailed(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "A status report is given up: {Reason}")]
    private partial void LogRefused(string reason);
}
