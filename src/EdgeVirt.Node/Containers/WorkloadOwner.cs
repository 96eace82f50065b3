using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Probes;
using EdgeVirt.Node.Reconcile;
using EdgeVirt.Node.State;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers;

/// <summary>What all owners share.</summary>
internal sealed record WorkloadTools(
    NodeStore Store, RecordStore Records, IContainerRuntime Runtime, IContainerImages Images, ContainerProbes Probes, TimeProvider Time, ILogger Log);

/// <summary>
/// Everything that happens to one workload happens here, one pass at a time. Images are fetched beside the passes, so
/// that the version before is kept running, and a removal need not wait for a download.
/// </summary>
internal sealed partial class WorkloadOwner(string name, WorkloadTools tools)
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MostRetry = TimeSpan.FromMinutes(5);

    private readonly List<ContainerRecord> containers = [];
    private readonly Backoff retries = new(FirstRetry, MostRetry);
    private SandboxRecord? sandbox;
    private WorkloadTarget? inForce;
    private PreparedWorkload? prepared;
    private PreparedWorkload? preparedBefore;
    private Preparation? preparation;
    private WorkloadProblem? problem;
    private WorkloadTarget? problemTarget;
    private DateTimeOffset? retryAt;
    private WorkloadInstanceStatus? reported;
    private byte[] reportedBytes = [];

    public string Name => name;

    /// <summary>What it is to be; null: gone. Set by the reconciler, read at the start of each pass.</summary>
    public WorkloadTarget? Target { get; set; }

    /// <summary>When the next pass is due without a cause; null: never.</summary>
    public DateTimeOffset? Due { get; private set; }

    /// <summary>Nothing is left of it, and nothing is wanted.</summary>
    public bool IsGone => Target is null && sandbox is null && containers.Count == 0 && reported is null;

    /// <summary>Digests of images that it uses or is about to.</summary>
    public IEnumerable<string> ImagesInUse =>
        [.. containers.ToArray().Where(container => !container.Retired).Select(container => container.ImageDigest), .. prepared?.Containers.Values.Select(container => container.Image.ManifestDigest) ?? []];

    /// <summary>Raised when fetching is done, well or not.</summary>
    public event Action<WorkloadOwner>? Prepared;

    public void Adopt(SandboxRecord record) => sandbox = record;

    public void Adopt(ContainerRecord record) => containers.Add(record);

    public void Adopt(ObservedWorkload observed)
    {
        reported = observed.Status;
        reportedBytes = BytesOf(observed.Status);
    }

    /// <summary>Plans and acts until nothing is left to do now.</summary>
    public async Task PassAsync(CancellationToken ct)
    {
        Due = null;
        while (true)
        {
            ct.ThrowIfCancellationRequested();
            var target = Target;
            var now = tools.Time.GetUtcNow();
            Observe();
            var effective = Choose(target, now, ct);
            Probe(effective);
            var plan = effective is null && target is not null ? null : WorkloadPlan.Make(effective, View(), now);
            if (plan is null || plan.Steps.Count == 0 || IsWaiting(plan, now))
            {
                Due = Earlier(plan?.Due, retryAt);
                await ReportAsync(target, ct);
                return;
            }

            await ReportAsync(target, ct);
            await Task.WhenAll(plan.Steps.Select(step => ExecuteAsync(step, effective, ct)));
        }
    }

    public async Task EndPreparationAsync()
    {
        if (preparation is { } running)
        {
            preparation = null;
            await running.Cancel.CancelAsync();
            await ((Task)running.Task).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            running.Cancel.Dispose();
        }
    }

    private WorkloadView View() => new(sandbox, sandbox is not null && tools.Runtime.IsUsable(sandbox), containers)
    {
        Probed = containers.Where(container => container.Exit is null)
            .Select(container => KeyValuePair.Create(container.Id, tools.Probes.Find(container.Id)!))
            .Where(pair => pair.Value is not null)
            .ToDictionary(),
    };

    /// <summary>Has the probes of what runs asked, and writes down for which run they failed: it is stopped for that even by a later agent.</summary>
    private void Probe(WorkloadTarget? target)
    {
        for (var i = 0; i < containers.Count; i++)
        {
            var record = containers[i];
            if (record.Exit is not null || record.StopCause is not null || target is null || record.Hash != target.Hash ||
                target.Template.Containers.FirstOrDefault(container => container.Name == record.Container) is not { } spec)
            {
                continue;
            }

            tools.Probes.Watch(record, spec, reported?.Containers.FirstOrDefault(status => status.ContainerId == record.Id)?.Ready == true);
            if (tools.Probes.Find(record.Id)?.Failure is { } cause)
            {
                containers[i] = record with { StopCause = cause };
                tools.Records.Write(containers[i]);
            }
        }
    }

    // A sandbox that could not be made is tried again later, not at once.
    private bool IsWaiting(WorkloadPlan plan, DateTimeOffset now) =>
        retryAt is { } at && at > now && plan.Steps.All(step => step is WorkloadStep.CreateSandbox);

    private void Observe()
    {
        for (var i = 0; i < containers.Count; i++)
        {
            var record = containers[i];
            if (record.Exit is null && tools.Runtime.ExitOf(record) is { } exit)
            {
                exit = record.StopCause is { } cause ? exit with { Reason = WorkloadPlan.ProbeFailed, Message = cause } : exit;
                containers[i] = record with { Exit = exit };
                tools.Records.Write(containers[i]);
                tools.Probes.Forget(record.Id);
                LogEnded(tools.Log, record.Id, exit.Code, exit.Reason);
            }
            else if (record is { Exit: null, StartedAt: null })
            {
                containers[i] = record with { StartedAt = tools.Time.GetUtcNow() };
                tools.Records.Put(containers[i]);
            }
        }
    }

    /// <summary>The target to carry out now: the wanted one once it is prepared, until then the one before.</summary>
    private WorkloadTarget? Choose(WorkloadTarget? target, DateTimeOffset now, CancellationToken ct)
    {
        if (target is null || (problemTarget is not null && problemTarget != target))
        {
            ClearProblem();
        }

        if (target is null)
        {
            prepared = preparedBefore = null;
            preparation?.Cancel.Cancel();
            return null;
        }

        FinishPreparation(target, now);
        var view = View();
        var ready = prepared?.Hash == target.Hash;
        var needed = WorkloadPlan.Replaces(target, view) || WorkloadPlan.Make(target, view, now).Steps.Any(step => step is WorkloadStep.Start or WorkloadStep.CreateSandbox);
        if (ready || !needed)
        {
            inForce = target;
            return target;
        }

        if (preparation is null && (retryAt is null || retryAt <= now) && !(problem is not null && retryAt is null))
        {
            BeginPreparation(target, ct);
        }

        // The predecessor goes on, restarts included, as far as it is known to this agent.
        return inForce is { } old && old.Hash != target.Hash && sandbox?.Hash == old.Hash && PreparedFor(old) is not null ? old : null;
    }

    private PreparedWorkload? PreparedFor(WorkloadTarget target) =>
        prepared?.Hash == target.Hash ? prepared : preparedBefore?.Hash == target.Hash ? preparedBefore : null;

    private void BeginPreparation(WorkloadTarget target, CancellationToken ct)
    {
        preparedBefore = prepared ?? preparedBefore;
        var cancel = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var task = Task.Run(() => WorkloadPreparation.RunAsync(target, tools.Images, cancel.Token), CancellationToken.None);
        preparation = new Preparation(target, task, cancel);
        _ = task.ContinueWith(_ => Prepared?.Invoke(this), TaskScheduler.Default);
    }

    private void FinishPreparation(WorkloadTarget target, DateTimeOffset now)
    {
        if (preparation is not { } done)
        {
            return;
        }

        if (done.Target.Hash != target.Hash)
        {
            done.Cancel.Cancel();
        }

        if (!done.Task.IsCompleted)
        {
            return;
        }

        preparation = null;
        done.Cancel.Dispose();
        if (done.Task.IsCompletedSuccessfully)
        {
            prepared = done.Task.Result;
            preparedBefore = null;
            ClearProblem();
        }
        else if (done.Target == target && done.Task.Exception?.InnerException is { } e)
        {
            var failed = e as PreparationFailedException;
            Fail(failed?.Problem ?? new(ReadyReasons.ImagePullFailed, e.Message), target, failed?.IsFinal == true ? null : now + retries.Next());
        }
    }

    private void Fail(WorkloadProblem what, WorkloadTarget target, DateTimeOffset? again)
    {
        problem = what;
        problemTarget = target;
        retryAt = again;
        LogProblem(tools.Log, name, what.Reason, what.Message);
    }

    private void ClearProblem()
    {
        problem = null;
        problemTarget = null;
        retryAt = null;
        retries.Reset();
    }

    private async Task ReportAsync(WorkloadTarget? target, CancellationToken ct)
    {
        var view = View();
        if (target is null && view.Sandbox is null && view.Containers.Count == 0)
        {
            if (reported is not null)
            {
                await tools.Store.RemoveObservedAsync(name, ct);
                reported = null;
            }

            return;
        }

        var told = problem ?? (preparation is not null ? new(ReadyReasons.ImagePulling, "its images are being fetched") : null);
        var status = WorkloadReport.Make(target, view, told, tools.Runtime, reported, tools.Time.GetUtcNow());
        var bytes = BytesOf(status);
        if (!bytes.AsSpan().SequenceEqual(reportedBytes))
        {
            await tools.Store.WriteObservedAsync(new ObservedWorkload(name, target?.Workload.Uid ?? sandbox?.Uid ?? containers[0].Uid, status), ct);
            reported = status;
            reportedBytes = bytes;
        }
    }

    private static byte[] BytesOf(WorkloadInstanceStatus status) =>
        JsonSerializer.SerializeToUtf8Bytes(status, ContractsJson.Default.WorkloadInstanceStatus);

    private static DateTimeOffset? Earlier(DateTimeOffset? one, DateTimeOffset? other) => one is null || other < one ? other ?? one : one;

    private sealed record Preparation(WorkloadTarget Target, Task<PreparedWorkload> Task, CancellationTokenSource Cancel);
}
