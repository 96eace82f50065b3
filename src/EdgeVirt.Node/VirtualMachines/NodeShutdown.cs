using EdgeVirt.Linux;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>
/// The end of the agent together with its node. When only the agent ends, machines go on; when the node goes down, their guests are asked to end or
/// their memory is saved, before anything else of the agent stops.
/// </summary>
/// <param name="machines">Whose machines.</param>
/// <param name="isGoingDown">Whether the node does.</param>
/// <param name="log">Told of it.</param>
internal sealed partial class NodeShutdown(VirtualMachineReconciler machines, Func<Task<bool>> isGoingDown, ILogger<NodeShutdown> log)
{
    // Guests have an hour at most to end, see terminationGracePeriodSeconds.
    private static readonly TimeSpan Most = TimeSpan.FromMinutes(65);
    private static readonly TimeSpan Extension = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan ExtendEvery = TimeSpan.FromSeconds(20);

    /// <summary>Returns once no machine runs, or at once where only the agent ends.</summary>
    public async Task RunAsync()
    {
        if (!await isGoingDown())
        {
            return;
        }

        LogGoingDown(log);
        using var limit = new CancellationTokenSource(Most);
        await using var patience = new Timer(_ => Notify.ExtendTimeout(Extension), null, TimeSpan.Zero, ExtendEvery);
        try
        {
            await machines.GoDownAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            LogNotAll(log, Most.TotalMinutes);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The node goes down: virtual machines end, or their memory is saved")]
    private static partial void LogGoingDown(ILogger log);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Not all virtual machines ended within {Minutes} minutes")]
    private static partial void LogNotAll(ILogger log, double minutes);
}
