using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Commands;

/// <summary>Waits until workloads and virtual machines are Ready, or stopped or paused where that is asked, at the generation that was applied.</summary>
internal sealed class ReadyWait(Invocation invocation, HubApi hub)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);
    private readonly TimeProvider time = invocation.Terminal.Time;
    private string state = "";
    private VirtualMachineState? wantedState;

    private string Wanted => wantedState?.ToString() ?? ConditionTypes.Ready;

    public async Task UntilReadyAsync(IReadOnlyList<AppliedResource> placed, CancellationToken ct)
    {
        var limit = invocation.GivenTimeout ?? Patience;
        var began = time.GetTimestamp();
        foreach (var item in placed)
        {
            await invocation.Progress.WhileAsync(() => $"waiting for {state}", async stop =>
            {
                while (!await IsReadyAsync(item, stop))
                {
                    if (time.GetElapsedTime(began) >= limit)
                    {
                        throw new CliException(
                            ExitCodes.Timeout,
                            $"not {Wanted} after {Durations.Format(limit)}: {state}.",
                            $"'edgevirt describe {item.Kind.ToLowerInvariant()} {item.Name}' tells more; a longer --timeout waits longer.");
                    }

                    await Task.Delay(Interval, time, stop);
                }

                return true;
            }, ct);
            if (!invocation.Quiet)
            {
                invocation.Say($"{item.Kind}/{item.Name} is {Wanted} after {Durations.Format(time.GetElapsedTime(began))}");
            }
        }
    }

    private async Task<bool> IsReadyAsync(AppliedResource applied, CancellationToken ct)
    {
        var resource = await hub.GetAsync(HubPaths.Of(ResourceKind.ByName(applied.Kind)!, applied.Name), ContractsJson.Default.Resource, ct);
        var status = KindTables.PlacedStatusOf(resource);
        wantedState = StateOf(resource);
        var ready = status?.Conditions.FirstOrDefault(one => one.Type == ConditionTypes.Ready);
        state = $"{applied.Name}: {status?.ReadyInstances ?? 0}/{status?.DesiredInstances ?? 0} nodes, {ready?.Reason ?? ReadyReasons.Pending}";
        var instances = status?.OnNodes ?? [];

        // A status of an earlier generation says nothing about what was applied now.
        var current = instances.Where(instance => instance.ObservedGeneration >= applied.Generation).ToList();
        var refused = current.SelectMany(instance => instance.Conditions.Select(condition => (instance.Node, condition)))
            .FirstOrDefault(one => one.condition is { Type: ConditionTypes.Ready, Reason: ReadyReasons.ImageRefused });
        if (refused.condition is not null)
        {
            throw new CliException(
                ExitCodes.Failure,
                $"{applied.Name} will not become Ready: node {refused.Node} refused the image: {refused.condition.Message}",
                "Correct the image and apply again.");
        }

        if (status is { DesiredInstances: > 0 } && wantedState is not null)
        {
            return current.OfType<VirtualMachineInstanceStatus>().Count(instance => instance.State == wantedState) >= status.DesiredInstances;
        }

        return status is { DesiredInstances: > 0 } && ready?.Reason is not (ReadyReasons.PortTaken or ReadyReasons.AgentTooOld or ReadyReasons.CapabilityMissing) && status.ReadyInstances >= status.DesiredInstances &&
            current.Count(instance => instance.Conditions.Any(IsDone)) >= status.DesiredInstances;
    }

    /// <summary>What a virtual machine is to do where it is not to run; null: it, or a workload, is to be Ready.</summary>
    private static VirtualMachineState? StateOf(Resource resource) => resource.Kind == ResourceKind.VirtualMachine.Name
        ? resource.SpecOf<VirtualMachineSpec>().Power switch
        {
            VirtualMachinePower.Stopped => VirtualMachineState.Stopped,
            VirtualMachinePower.Paused => VirtualMachineState.Paused,
            _ => null,
        }
        : null;

    private static bool IsDone(Condition condition) =>
        condition.Type == ConditionTypes.Ready && (condition.Status == ConditionStatus.True || condition.Reason == ReadyReasons.Completed);
}
