using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Oci;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers;

/// <summary>How each step is carried out: the record first, then the effect; when taking away, the effect first.</summary>
internal sealed partial class WorkloadInstance
{
    /// <summary>Carries out one step of a plan.</summary>
    /// <param name="step">From a plan for <paramref name="target"/> and this instance as it is.</param>
    /// <param name="target">Null where the plan takes everything away.</param>
    /// <param name="prepared">For the target; needed to start a run.</param>
    /// <exception cref="StartFailedException">The sandbox could not be made.</exception>
    public Task CarryOutAsync(WorkloadStep step, WorkloadTarget? target, PreparedWorkload? prepared, CancellationToken ct) => step switch
    {
        WorkloadStep.CreateSandbox => CreateSandboxAsync(target!, ct),
        WorkloadStep.Start start => StartAsync(start, target!, prepared!, ct),
        WorkloadStep.Stop stop => StopAsync(stop.Container, ct),
        WorkloadStep.Retire retire => RetireAsync(retire.Container, ct),
        WorkloadStep.Remove remove => RemoveAsync(remove.Container, ct),
        WorkloadStep.RemoveSandbox remove => RemoveSandboxAsync(remove, ct),
        _ => throw new InvalidOperationException($"unknown step {step}"),
    };

    /// <summary>Takes the published ports over, without a moment in which nobody has them.</summary>
    /// <exception cref="StartFailedException">It could not; the one before has them still.</exception>
    public async Task TakeOverAsync(WorkloadInstance before, IReadOnlyList<PublishedPort> ports, CancellationToken ct)
    {
        var (mine, others) = (sandbox!, before.sandbox!);
        // The record says so first: should the agent end here, the next one finishes it.
        var served = mine with { IsSuccessor = false, Ports = ports };
        tools.Records.Put(served);
        try
        {
            await tools.Runtime.MovePortsAsync(others, served, ct);
        }
        catch (StartFailedException)
        {
            tools.Records.Put(mine);
            throw;
        }

        sandbox = served;
        IsSuccessor = false;
        before.sandbox = others with { Ports = [] };
        tools.Records.Put(before.sandbox);
        LogTookOver(tools.Log, served.Id, others.Id);
    }

    private async Task CreateSandboxAsync(WorkloadTarget target, CancellationToken ct)
    {
        if (sandbox is { } before)
        {
            sandbox = before with { Attempt = before.Attempt + 1 };
            tools.Records.Put(sandbox);
        }
        else
        {
            var allocated = tools.Runtime.Allocate(new SandboxRecord
            {
                Id = SandboxRecord.IdOf(name, target.Workload.Uid, isAlternate),
                Workload = name,
                Uid = target.Workload.Uid,
                Hash = target.Hash,
                HostNetwork = target.Template.HostNetwork,
                HasOwnUsers = target.Template.HostUsers == false,
                Ports = IsSuccessor ? [] : target.Ports,
                Turn = Turn,
                IsSuccessor = IsSuccessor,
                GraceSeconds = target.GraceSeconds,
            });
            tools.Records.Put(allocated);
            sandbox = allocated;
        }

        await tools.Runtime.CreateSandboxAsync(sandbox, target, ct);
    }

    private async Task StartAsync(WorkloadStep.Start step, WorkloadTarget target, PreparedWorkload prepared, CancellationToken ct)
    {
        var ready = prepared.Containers[step.Container];
        var spec = target.Template.AllContainers().First(container => container.Name == step.Container);
        var record = new ContainerRecord
        {
            Id = ContainerRecord.IdOf(sandbox!.Id, step.Container, step.Attempt),
            SandboxId = sandbox.Id,
            Workload = name,
            Uid = target.Workload.Uid,
            Container = step.Container,
            Attempt = step.Attempt,
            Hash = target.Hash,
            SandboxAttempt = sandbox.Attempt,
            ImageDigest = ready.Image.ManifestDigest,
            Failures = step.Failures,
            StopSignal = Signals.Parse(ready.Image.Config.StopSignal),
            PreStop = spec.Lifecycle?.PreStop,
            PostStart = spec.Lifecycle?.PostStart,
            Logs = target.Template.Logs,
        };
        Keep(record, durable: false);
        // The disk does its part while the container is being made.
        var durable = Task.Run(() => tools.Records.Sync(record), CancellationToken.None);
        try
        {
            var began = await tools.Runtime.StartAsync(new ContainerStart(record, durable, spec, target, sandbox, ready.Image, ready.Environment), ct);
            var running = record with { StartedAt = began };
            Keep(running, durable: false);
            tools.Hooks.Begin(running);
        }
        catch (StartFailedException e)
        {
            var exit = new ContainerExit { Code = 128, Reason = "StartError", Message = e.Message, FinishedAt = tools.Time.GetUtcNow() };
            Keep(record with { Exit = exit });
            LogStartFailed(tools.Log, record.Id, e.Message);
        }
    }

    private async Task StopAsync(ContainerRecord container, CancellationToken ct)
    {
        tools.Probes.Forget(container.Id);
        tools.Hooks.Forget(container.Id);
        var grace = TimeSpan.FromSeconds(sandbox?.GraceSeconds ?? 30);
        if (container.PreStop is { } hook && grace > TimeSpan.Zero && tools.Runtime.ExitOf(container) is null)
        {
            grace = await PreStopAsync(container, hook, grace, ct);
        }

        await tools.Runtime.StopAsync(container, grace, ct);
    }

    private async Task RetireAsync(ContainerRecord container, CancellationToken ct)
    {
        await tools.Runtime.ReleaseAsync(container, ct);
        Keep(container with { Retired = true });
    }

    private async Task RemoveAsync(ContainerRecord container, CancellationToken ct)
    {
        if (!container.Retired)
        {
            await tools.Runtime.ReleaseAsync(container, ct);
        }

        tools.Records.RemoveContainer(container.Id);
        lock (containers)
        {
            containers.RemoveAll(kept => kept.Id == container.Id);
        }
    }

    private async Task RemoveSandboxAsync(WorkloadStep.RemoveSandbox step, CancellationToken ct)
    {
        await tools.Runtime.RemoveSandboxAsync(step.Sandbox, step.Volumes, ct);
        tools.Records.RemoveSandbox(step.Sandbox.Id);
        sandbox = null;
    }

    private void Keep(ContainerRecord record, bool durable = true)
    {
        if (durable)
        {
            tools.Records.Write(record);
        }
        else
        {
            tools.Records.Put(record);
        }

        lock (containers)
        {
            var at = containers.FindIndex(kept => kept.Id == record.Id);
            if (at < 0)
            {
                containers.Add(record);
            }
            else
            {
                containers[at] = record;
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Container {Id} ended with exit code {Code} ({Reason})")]
    private static partial void LogEnded(ILogger log, string id, int code, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Container {Id} could not be started: {Problem}")]
    private static partial void LogStartFailed(ILogger log, string id, string problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Next} took the published ports over from {Before}")]
    private static partial void LogTookOver(ILogger log, string next, string before);
}
