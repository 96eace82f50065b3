using EdgeVirt.Contracts;
using EdgeVirt.Node.State;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Hub;

/// <summary>
/// Everything between this node and its hub. None of it is needed for workloads to run: it waits for an identity, keeps
/// the links up, and starts over when the node is enrolled anew.
/// </summary>
internal sealed partial class HubLink(
    EnrollmentLoop enrollment, IdentityFiles identities, NodeStore store, HubTasks tasks, NodeConditions conditions, ILogger<HubLink> log) : BackgroundService
{
    private static readonly TimeSpan DropAgain = TimeSpan.FromSeconds(2);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        while (!stoppingToken.IsCancellationRequested)
        {
            var identity = await enrollment.WaitAsync(stoppingToken);
            using var replaced = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            var changed = identities.Changed;
            conditions.Set(
                Contracts.Resources.ConditionTypes.Enrolled, Contracts.Resources.ConditionStatus.True, Contracts.Resources.EnrolledReasons.Enrolled);
            await DropDesiredAsync(stoppingToken);
            var work = tasks.RunAsync(replaced.Token);
            await Task.WhenAny(work, changed);
            await replaced.CancelAsync();
            try
            {
                await work;
            }
            catch (OperationCanceledException) when (replaced.IsCancellationRequested)
            {
                LogEnded(identity.Node);
            }
        }
    }

    // Here nobody takes revisions: the hub before is left, the new one not asked yet.
    private async Task DropDesiredAsync(CancellationToken ct)
    {
        while (identities.DropsDesired)
        {
            try
            {
                await store.AcceptDesiredAsync(0, new NodeDocument { Node = identities.Current!.Node }.ToBytes(), ct);
                identities.DesiredDropped();
                LogDropped();
            }
            catch (IOException e)
            {
                LogNotDropped(e.Message);
                await Task.Delay(DropAgain, TimeProvider.System, ct);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "What the hub before wanted is dropped, as asked for")]
    private partial void LogDropped();

    [LoggerMessage(Level = LogLevel.Error, Message = "What the hub before wanted cannot be dropped yet: {Reason}")]
    private partial void LogNotDropped(string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Left the hub as {Node}")]
    private partial void LogEnded(string node);
}

/// <summary>What runs while the node has an identity.</summary>
internal sealed partial class HubTasks(
    MqttLink link, DesiredStateSync desired, StatusReporter status, TunnelClient tunnel, CertificateRenewal renewal, ILogger<HubTasks> log)
{
    /// <summary>Runs all of it until cancelled. Should one part fail, it is logged and begun anew.</summary>
    public Task RunAsync(CancellationToken ct) => Task.WhenAll(
        KeepAsync("link", link.RunAsync, ct),
        KeepAsync("desired state", desired.RunAsync, ct),
        KeepAsync("status", status.RunAsync, ct),
        KeepAsync("tunnel", tunnel.RunAsync, ct),
        KeepAsync("renewal", renewal.RunAsync, ct));

    private async Task KeepAsync(string name, Func<CancellationToken, Task> run, CancellationToken ct)
    {
        var backoff = new Reconcile.Backoff(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));
        while (!ct.IsCancellationRequested)
        {
            try
            {
                await run(ct);
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // An unforeseen failure of one part must not take the others, or the workloads, with it.
            catch (Exception e)
#pragma warning restore CA1031
            {
                LogFailed(name, e);
            }

            await Task.Delay(backoff.Next(), TimeProvider.System, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Part} failed and is begun anew")]
    private partial void LogFailed(string part, Exception e);
}
