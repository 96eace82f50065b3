using EdgeVirt.Node.Reconcile;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Hub;

/// <summary>Looks about hourly whether the certificate is due. A hub that refuses is asked again rarely; workloads go on.</summary>
internal sealed partial class CertificateRenewal(Enrollment enrollment, TimeProvider time, ILogger<CertificateRenewal> log)
{
    private static readonly TimeSpan Look = TimeSpan.FromHours(1);
    private static readonly TimeSpan LookWhenRefused = TimeSpan.FromHours(6);

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        var backoff = new Backoff(TimeSpan.FromSeconds(30), Look);
        var wasRefused = false;
        while (true)
        {
            TimeSpan wait;
            try
            {
                var refused = !await enrollment.RenewIfDueAsync(ct);
                if (refused && !wasRefused)
                {
                    LogRefused();
                }

                wasRefused = refused;
                backoff.Reset();
                wait = refused ? LookWhenRefused : Look;
            }
            catch (HubUnavailableException e)
            {
                wait = backoff.Next();
                LogFailed(e.Message);
            }

            await Task.Delay(wait * (0.8 + (Random.Shared.NextDouble() * 0.4)), time, ct);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The hub refuses to renew this node's certificate. Workloads go on; to bring the node back, enroll it with a new claim token")]
    private partial void LogRefused();

    [LoggerMessage(Level = LogLevel.Warning, Message = "The certificate could not be renewed: {Reason}")]
    private partial void LogFailed(string reason);
}
