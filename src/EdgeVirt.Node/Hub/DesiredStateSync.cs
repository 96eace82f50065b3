using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Reconcile;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Hub;

/// <summary>Decides when to ask the hub for the desired state: when the link comes up, when poked, and now and then.</summary>
internal sealed partial class DesiredStateSync(
    DesiredStateSession session, MqttLink link, HubCalls calls, TimeProvider time, ILogger<DesiredStateSync> log)
{
    private static readonly TimeSpan Poll = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan SessionTimeout = TimeSpan.FromMinutes(5);

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        var wake = new WakeSignal();
        var backoff = new Backoff(TimeSpan.FromSeconds(2), TimeSpan.FromMinutes(5));
        void OnPoke(PokeReason reason)
        {
            if (reason == PokeReason.DesiredState)
            {
                wake.Set();
            }
        }

        link.Poked += OnPoke;
        link.Connected += wake.Set;
        try
        {
            wake.Set();
            var wait = TimeSpan.Zero;
            while (true)
            {
                await wake.WaitAsync(wait, time, ct);
                wait = await TryAsync(backoff, ct);
            }
        }
        finally
        {
            link.Poked -= OnPoke;
            link.Connected -= wake.Set;
        }
    }

    private async Task<TimeSpan> TryAsync(Backoff backoff, CancellationToken ct)
    {
        try
        {
            await calls.CallAsync(session.RunAsync, SessionTimeout, ct);
            backoff.Reset();
            return Poll * (0.8 + (Random.Shared.NextDouble() * 0.4));
        }
        catch (HubUnavailableException e)
        {
            var delay = backoff.Next();
            LogFailed(e.Message, delay.TotalSeconds);
            return delay;
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "The desired state could not be asked for: {Reason}; again in {Seconds:F0} s at the latest")]
    private partial void LogFailed(string reason, double seconds);
}
