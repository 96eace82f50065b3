using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Reconcile;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers;

/// <summary>
/// Gets all on the node that targets of one workload need, before anything of a predecessor is stopped. Fetching goes on
/// beside the owner's passes, so that what is there is kept running, and a removal need not wait for a download.
/// Called by the owner alone.
/// </summary>
internal sealed partial class Staging(string name, WorkloadTools tools)
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MostRetry = TimeSpan.FromMinutes(5);

    private readonly Dictionary<string, Stage> stages = [];

    /// <summary>Raised when fetching is done, well or not, on any thread.</summary>
    public event Action? Done;

    /// <summary>When something is to be tried again; null: nothing is.</summary>
    public DateTimeOffset? Due => stages.Values.Min(stage => stage.RetryAt);

    /// <summary>Digests of the images that are staged. May be called by any thread.</summary>
    public IEnumerable<string> ImagesInUse
    {
        get
        {
            lock (stages)
            {
                return [.. stages.Values.SelectMany(stage => stage.Prepared?.Digests.Values ?? [])];
            }
        }
    }

    /// <summary>What a target needs; null: it is not on the node yet.</summary>
    public PreparedWorkload? Find(WorkloadTarget target) => stages.GetValueOrDefault(target.Hash)?.Prepared;

    /// <summary>Why a target is not staged; null: nobody wants it, or it is.</summary>
    public WorkloadProblem? ProblemOf(WorkloadTarget target) => stages.GetValueOrDefault(target.Hash) switch
    {
        null or { Prepared: not null } => null,
        { Problem: { } problem } => problem,
        _ => new(ReadyReasons.ImagePulling, "its images are being fetched"),
    };

    /// <summary>What keeps a target from being staged, for people; null: nothing but time.</summary>
    public string? ComplaintOf(WorkloadTarget target) => stages.GetValueOrDefault(target.Hash)?.Problem?.Message;

    /// <summary>Sees to it that a target gets staged.</summary>
    /// <param name="target">What is wanted.</param>
    /// <param name="pins">Digests of images by container, where they are to be of the same content as before; null: what the references say now.</param>
    /// <param name="now">Now.</param>
    /// <param name="ct">Ends fetching.</param>
    public void Want(WorkloadTarget target, IReadOnlyDictionary<string, string>? pins, DateTimeOffset now, CancellationToken ct)
    {
        if (!stages.TryGetValue(target.Hash, out var stage))
        {
            stage = new Stage(target);
            lock (stages)
            {
                stages.Add(target.Hash, stage);
            }
        }

        if (!ReferenceEquals(stage.Target, target))
        {
            // E.g. another password for the registry: worth a try at once.
            stage.Target = target;
            stage.Forgive();
        }

        Finish(stage, now);
        if (stage is { Prepared: null, Task: null } && (stage.Problem is null || stage.RetryAt <= now))
        {
            Begin(stage, pins, ct);
        }
    }

    /// <summary>Forgets all but these; what is being fetched for others is given up.</summary>
    public void Retain(IEnumerable<WorkloadTarget> targets)
    {
        var kept = targets.Select(target => target.Hash).ToHashSet();
        foreach (var (hash, stage) in stages.Where(pair => !kept.Contains(pair.Key)).ToList())
        {
            stage.Cancel?.Cancel();
            if (stage.Task is null or { IsCompleted: true })
            {
                stage.Cancel?.Dispose();
                lock (stages)
                {
                    stages.Remove(hash);
                }
            }
        }
    }

    /// <summary>Gives up all that is being fetched; ends when it has ended.</summary>
    public async Task EndAsync()
    {
        foreach (var stage in stages.Values.Where(stage => stage.Task is not null))
        {
            await stage.Cancel!.CancelAsync();
            await stage.Task!.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            stage.Cancel.Dispose();
            stage.Task = null;
        }
    }

    private void Begin(Stage stage, IReadOnlyDictionary<string, string>? pins, CancellationToken ct)
    {
        var target = stage.Target;
        stage.RetryAt = null;
        stage.Problem = null;
        stage.Fetched = null;
        stage.Tried = target;
        stage.Cancel = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var cancel = stage.Cancel.Token;
        stage.Task = Task.Run(
            async () =>
            {
                WorkloadPreparation.CheckNode(target, tools.Runtime);
                stage.Fetched = await WorkloadPreparation.RunAsync(target, tools.Images, pins, cancel);
            },
            CancellationToken.None);
        _ = stage.Task.ContinueWith(_ => Done?.Invoke(), TaskScheduler.Default);
    }

    private void Finish(Stage stage, DateTimeOffset now)
    {
        if (stage.Task is not { IsCompleted: true } task)
        {
            return;
        }

        stage.Task = null;
        stage.Cancel!.Dispose();
        stage.Cancel = null;
        if (task.IsCompletedSuccessfully)
        {
            lock (stages)
            {
                stage.Prepared = stage.Fetched;
            }
        }
        else if (ReferenceEquals(stage.Tried, stage.Target) && task.Exception?.InnerException is { } e)
        {
            var failed = e as PreparationFailedException;
            stage.Problem = failed?.Problem ?? new(ReadyReasons.ImagePullFailed, e.Message);
            stage.RetryAt = failed?.IsFinal == true ? null : now + (failed?.RetryAfter ?? stage.Retries.Next());
            LogProblem(tools.Log, name, stage.Problem.Reason, stage.Problem.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Workload {Workload} cannot be staged, {Reason}: {Problem}")]
    private static partial void LogProblem(ILogger log, string workload, string reason, string problem);

    private sealed class Stage(WorkloadTarget target)
    {
        public WorkloadTarget Target { get; set; } = target;

        public WorkloadTarget? Tried { get; set; }

        public Task? Task { get; set; }

        /// <summary>What the task got, to be looked at when it has ended.</summary>
        public PreparedWorkload? Fetched { get; set; }

        public CancellationTokenSource? Cancel { get; set; }

        public PreparedWorkload? Prepared { get; set; }

        public WorkloadProblem? Problem { get; set; }

        public DateTimeOffset? RetryAt { get; set; }

        public Backoff Retries { get; } = new(FirstRetry, MostRetry);

        public void Forgive()
        {
            Problem = null;
            RetryAt = null;
            Retries.Reset();
        }
    }
}
