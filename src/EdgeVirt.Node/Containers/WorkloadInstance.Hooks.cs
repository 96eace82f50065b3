using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Probes;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers;

/// <summary>What is done after a container began, and before it is asked to end.</summary>
internal sealed partial class WorkloadInstance
{
    // As in Kubernetes: what a hook leaves of the grace period, but time enough to hear the signal.
    private static readonly TimeSpan LeastGrace = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan SleepStep = TimeSpan.FromMilliseconds(500);

    // Begins it where nobody has, and writes down how it ended.
    private void FollowHook(int index)
    {
        var record = containers[index];
        if (record is not { PostStart: not null, Exit: null, StopCause: null, StartedAt: not null })
        {
            return;
        }

        tools.Hooks.Begin(record);
        if (tools.Hooks.Find(record.Id) is not { } answer)
        {
            return;
        }

        if (answer.Succeeded || !tools.Runtime.IsRunning(record))
        {
            // Who ended before its hook did is judged by its own exit.
            containers[index] = record with { PostStart = null };
            tools.Records.Put(containers[index]);
            return;
        }

        containers[index] = record with { StopCause = $"its postStart hook failed: {answer.Message}", StopReason = WorkloadPlan.FailedPostStartHook };
        tools.Records.Write(containers[index]);
        LogPostStartFailed(tools.Log, record.Id, answer.Message ?? "");
    }

    /// <summary>Runs the hook; gives how much of the grace period is left for the signal.</summary>
    private async Task<TimeSpan> PreStopAsync(ContainerRecord container, LifecycleHandler hook, TimeSpan grace, CancellationToken ct)
    {
        var began = tools.Time.GetTimestamp();
        if (hook.Sleep is { } sleep)
        {
            var wanted = TimeSpan.FromSeconds(sleep.Seconds);
            await SleepAsync(container, wanted < grace ? wanted : grace, ct);
        }
        else if (await ActAsync(container, ContainerAction.Of(hook), grace, ct) is { Succeeded: false } answer)
        {
            LogHookFailed(tools.Log, container.Id, answer.Message ?? "");
        }

        var left = grace - tools.Time.GetElapsedTime(began);
        return left > LeastGrace ? left : LeastGrace;
    }

    // Ends with the container too.
    private async Task SleepAsync(ContainerRecord container, TimeSpan wanted, CancellationToken ct)
    {
        var began = tools.Time.GetTimestamp();
        while (wanted - tools.Time.GetElapsedTime(began) is var left && left > TimeSpan.Zero && tools.Runtime.ExitOf(container) is null)
        {
            await Task.Delay(left < SleepStep ? left : SleepStep, tools.Time, ct);
        }
    }

    private async Task<ActionAnswer> ActAsync(ContainerRecord container, ContainerAction action, TimeSpan timeout, CancellationToken ct)
    {
        try
        {
            return await tools.Runtime.ActAsync(container, action, timeout, ct);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or StartFailedException)
        {
            return ActionAnswer.Failed(e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The postStart hook of container {Id} failed, and it is stopped: {Problem}")]
    private static partial void LogPostStartFailed(ILogger log, string id, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The preStop hook of container {Id} failed, and it is asked to end all the same: {Problem}")]
    private static partial void LogHookFailed(ILogger log, string id, string problem);
}
