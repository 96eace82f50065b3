using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Probes;
using EdgeVirt.Node.Containers.Sets;
using EdgeVirt.Node.Reconcile;
using EdgeVirt.Node.State;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers;

/// <summary>What all owners share.</summary>
internal sealed record WorkloadTools(
    NodeStore Store, RecordStore Records, IContainerRuntime Runtime, IContainerImages Images, ContainerProbes Probes, PostStartHooks Hooks, StartOrder StartOrder, TimeProvider Time, ILogger Log);

/// <summary>
/// Everything that happens to one workload happens here, one pass at a time: it asks its set what is to be, has that staged,
/// and carries it out on the workload's instance.
/// </summary>
internal sealed partial class WorkloadOwner : IOwner
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MostRetry = TimeSpan.FromMinutes(5);

    private readonly string name;
    private readonly WorkloadTools tools;
    private readonly Staging staging;
    private readonly Backoff retries = new(FirstRetry, MostRetry);
    private WorkloadInstance instance;
    private WorkloadProblem? problem;
    private WorkloadTarget? problemTarget;
    private DateTimeOffset? retryAt;

    public WorkloadOwner(string name, WorkloadTools tools)
    {
        this.name = name;
        this.tools = tools;
        instance = new WorkloadInstance(name, tools, isAlternate: false);
        staging = new Staging(name, tools);
        staging.Done += () => Woken?.Invoke(name);
    }

    public string Name => name;

    /// <summary>The set that says what it is to be; null: nobody wants it. Set by the reconciler, read at the start of each pass.</summary>
    public WorkloadSet? Set { get; set; }

    /// <summary>When the next pass is due without a cause; null: never.</summary>
    public DateTimeOffset? Due { get; private set; }

    /// <summary>Nothing is left of it, and nothing is wanted.</summary>
    public bool IsGone => Set?.Wants(name) != true && Instances.All(one => one.IsEmpty) && reported is null;

    /// <summary>Hash of the newest target that something runs for; null: nothing is there.</summary>
    public string? Running => successor?.Hash ?? instance.Hash;

    /// <summary>Digests of images that it uses or is about to.</summary>
    public IEnumerable<string> ImagesInUse => [.. Instances.SelectMany(one => one.ImagesInUse), .. staging.ImagesInUse];

    /// <summary>Raised with the name of a workload that needs a pass, this one or another of its set. On any thread.</summary>
    public event Action<string>? Woken;

    /// <summary>Plans and acts until nothing is left to do now.</summary>
    public async Task PassAsync(CancellationToken ct)
    {
        Due = null;
        while (true)
        {
            ct.ThrowIfCancellationRequested();
            var now = tools.Time.GetUtcNow();
            Instances.ForEach(one => one.Observe());
            var order = await OrderAsync(now, ct);
            Stage(order, now, ct);
            (heldTarget, held) = (null, null);
            var roles = Assign(order);
            roles.ForEach(role => role.Instance.Probe(role.Target, reported));
            RefreshFiles(roles);
            var plans = roles.ConvertAll(role => PlanFor(role, now));
            await ReportAsync(order, roles[0], ct);
            if (!plans.TrueForAll(plan => plan.Steps.Count == 0))
            {
                await Task.WhenAll(roles.Zip(plans, (role, plan) => CarryOutAsync(plan, role, now, ct)));
                continue;
            }

            if (await TakeOverAsync(roles, now, ct))
            {
                continue;
            }

            // What was reported may have changed what the set says.
            var again = await OrderAsync(now, ct);
            if (again.Target == order.Target && again.Remove == order.Remove && again.Progress == order.Progress)
            {
                Due = plans.Select(plan => plan.Due).Append(retryAt).Append(staging.Due).Append(again.Due).Min();
                return;
            }
        }
    }

    public Task EndStagingAsync() => staging.EndAsync();

    private async Task<MemberOrder> OrderAsync(DateTimeOffset now, CancellationToken ct)
    {
        if (Set is not { } set)
        {
            return new MemberOrder(null, null) { Remove = true };
        }

        var order = set.Decide(name, StateOf(set), now, out var turned, out var remember);
        if (remember is not null)
        {
            await tools.Store.WriteSetAsync(remember, ct);
            if (remember.Refused is { } refused)
            {
                LogRolledBack(tools.Log, set.Key, refused.Why);
            }
        }

        if (turned)
        {
            foreach (var other in set.Members.Where(other => other != name))
            {
                Woken?.Invoke(other);
            }
        }

        return order;
    }

    private void Stage(MemberOrder order, DateTimeOffset now, CancellationToken ct)
    {
        staging.Retain(new[] { order.Target, order.Stage, order.Wanted, order.Before, order.Proven }.OfType<WorkloadTarget>());
        if (order.Stage is { } next)
        {
            staging.Want(next, pins: null, now, ct);
        }

        if (order.Target is { } target && NeedsStart(target, now))
        {
            staging.Want(target, order.Proven?.Hash == target.Hash ? order.Pins : null, now, ct);
        }
    }

    private bool NeedsStart(WorkloadTarget target, DateTimeOffset now) =>
        staging.Find(target) is null &&
        (WorkloadPlan.Replaces(target, instance.View()) || WorkloadPlan.Make(target, instance.View(), now).Steps.Any(IsBeginning));

    private WorkloadPlan PlanFor(Role role, DateTimeOffset now)
    {
        if (role.Target is null && !role.Remove)
        {
            return WorkloadPlan.Nothing;
        }

        if (problemTarget is not null && role.Instance == instance && problemTarget != role.Target)
        {
            Clear();
        }

        var plan = HoldBack(WorkloadPlan.Make(role.Target, role.Instance.View(), now), role.Target);
        var canBegin = role.Target is null || staging.Find(role.Target) is not null;
        var mustWait = retryAt > now && problemTarget == role.Target;
        return canBegin && !mustWait ? plan : plan with { Steps = [.. plan.Steps.Where(step => !IsBeginning(step) || (canBegin && step is not WorkloadStep.CreateSandbox))] };
    }

    private async Task CarryOutAsync(WorkloadPlan plan, Role role, DateTimeOffset now, CancellationToken ct)
    {
        var target = role.Target;
        var prepared = target is null ? null : staging.Find(target);
        try
        {
            await Task.WhenAll(plan.Steps.Select(step => role.Instance.CarryOutAsync(step, target, prepared, ct)));
            if (plan.Steps.Any(step => step is WorkloadStep.CreateSandbox))
            {
                Clear();
            }
        }
        catch (StartFailedException e)
        {
            Fail(e.Message, target, now);
        }
    }

    // A sandbox that could not be made, or ports that could not be moved: tried again later, not at once.
    private void Fail(string why, WorkloadTarget? target, DateTimeOffset now)
    {
        problem = new(ReadyReasons.StartFailed, why);
        problemTarget = target;
        retryAt = now + retries.Next();
        LogProblem(tools.Log, name, problem.Reason, problem.Message);
    }

    private static bool IsBeginning(WorkloadStep step) => step is WorkloadStep.Start or WorkloadStep.CreateSandbox;

    private void Clear()
    {
        problem = null;
        problemTarget = null;
        retryAt = null;
        retries.Reset();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Workload {Workload} is not Ready, {Reason}: {Problem}")]
    private static partial void LogProblem(ILogger log, string workload, string reason, string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Set} is rolled back to the version before: {Problem}")]
    private static partial void LogRolledBack(ILogger log, string set, string problem);
}
