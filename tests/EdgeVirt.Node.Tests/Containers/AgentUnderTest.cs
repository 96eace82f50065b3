using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.State;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>A reconciler with a real store, made anew as often as an agent is restarted.</summary>
internal sealed class AgentUnderTest : IAsyncDisposable
{
    private readonly StoreFiles files;
    private readonly IDisposable? owned;
    private readonly CancellationTokenSource patience = new(TimeSpan.FromSeconds(60));

    public AgentUnderTest(NodeOptions options, Func<RecordStore, IContainerRuntime> runtime, IContainerImages images, TimeProvider time)
    {
        var quarantine = new Quarantine(options, time, NullLogger<Quarantine>.Instance);
        files = new StoreFiles(options, quarantine, new StorageHealth(quarantine, time), NullLogger<StoreFiles>.Instance);
        Store = new NodeStore(files, time, NullLogger<NodeStore>.Instance);
        Records = new RecordStore(new NodeDirectories(options), NullLogger<RecordStore>.Instance);
        Runtime = runtime(Records);
        owned = Runtime as IDisposable;
        Reconciler = new WorkloadReconciler(Store, Records, Runtime, images, time, NullLogger<WorkloadReconciler>.Instance);
    }

    public NodeStore Store { get; }

    public RecordStore Records { get; }

    public IContainerRuntime Runtime { get; }

    public WorkloadReconciler Reconciler { get; }

    /// <summary>Gives it more time from now on.</summary>
    public void Allow(TimeSpan time) => patience.CancelAfter(time);

    public async Task DesireAsync(ulong revision, NodeDocument document)
    {
        await Store.AcceptDesiredAsync(revision, document.ToBytes(), patience.Token);
        await ReconcileAsync();
    }

    public async Task<TimeSpan?> ReconcileAsync()
    {
        var next = await Reconciler.ReconcileAsync(patience.Token);
        await Reconciler.SettledAsync();
        return next;
    }

    public async Task<WorkloadInstanceStatus?> StatusAsync(string name) =>
        (await Store.ReadObservedAsync(patience.Token)).FirstOrDefault(observed => observed.Name == name)?.Status;

    /// <summary>Runs the loop until a workload's status satisfies.</summary>
    public async Task<WorkloadInstanceStatus> UntilAsync(string name, Func<WorkloadInstanceStatus, bool> satisfied)
    {
        WorkloadInstanceStatus? status = null;
        while (!patience.IsCancellationRequested)
        {
            await Reconciler.ReconcileAsync(patience.Token);
            status = await StatusAsync(name);
            if (status is not null && satisfied(status))
            {
                return status;
            }

            await Task.Delay(10);
        }

        throw new TimeoutException($"the workload stays at {(status is null ? "nothing" : string.Join("; ", status.Conditions))}");
    }

    public async Task UntilGoneAsync(string name)
    {
        while (await StatusAsync(name) is not null)
        {
            patience.Token.ThrowIfCancellationRequested();
            await Reconciler.ReconcileAsync(patience.Token);
            await Task.Delay(10);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Reconciler.DisposeAsync();
        await Store.DisposeAsync();
        owned?.Dispose();
        patience.Dispose();
    }
}
