using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Qmp;
using EdgeVirt.Node.VirtualMachines.Suspend;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>What becomes of a machine when its node goes down: its guest is asked to end, or its memory is saved and used at the next start.</summary>
internal sealed partial class VmOwner
{
    private bool cannotBeSaved;

    /// <summary>The node goes down: what runs ends, and nothing is started any more. Set by the reconciler.</summary>
    public bool NodeGoesDown { get; set; }

    /// <summary>Nothing of it runs.</summary>
    public bool IsOff => record?.Run is null;

    private async Task<bool> LeaveAsync(VmOrder order, DateTimeOffset now, CancellationToken ct)
    {
        if (record?.Run is null || process is null)
        {
            return false;
        }

        DueBy(now + Look);
        if (order.Machine.Spec.OnNodeShutdown == VirtualMachineShutdown.Suspend && record.StopAsked is null && !cannotBeSaved && guestState is "running" or "paused")
        {
            if (await SuspendAsync(record, ct))
            {
                return true;
            }

            cannotBeSaved = true;
        }

        return await StopAsync(TimeSpan.FromSeconds(GraceOf(order)), now, ct);
    }

    // False: it could not be saved, and its guest goes on.
    private async Task<bool> SuspendAsync(VmRecord running, CancellationToken ct)
    {
        if (running.Run?.Setting is not { } setting || watch is null)
        {
            return false;
        }

        var (wasRunning, monitor) = (guestState == "running", watch.Monitor);
        try
        {
            if (wasRunning && !await CommandAsync("stop", ct))
            {
                return false;
            }

            var (bytes, sha256) = await MemoryOf(running).SaveAsync(monitor, running.User, tools.Snapshots.Disks.CheckRoom, ct);
            var now = tools.Time.GetUtcNow();
            // From here on its QEMU must not run the guest again; whoever finds this record ends it.
            record = tools.Records.Put(running with { Saved = new SavedGuest(now, bytes, sha256, setting), StopAsked = now });
            LogSaved(tools.Log, name, bytes >> 20);
            return true;
        }
        catch (GuestMemoryException e)
        {
            LogNotSaved(tools.Log, name, e.Message);
            if (wasRunning)
            {
                await CommandAsync("cont", ct);
            }

            return false;
        }
    }

    // Ends what runs: its memory is saved already.
    private async Task<bool> EndSavedAsync(CancellationToken ct)
    {
        await process!.TerminateAsync(ct);
        return true;
    }

    // Gives a QEMU that has just been started the memory that was saved; where that cannot be, it ends and the next start is one from power on.
    private async Task ResumeAsync(VmRecord starting, SavedGuest saved, (VmProcess Process, QmpClient Monitor) begun, GuestSetting setting, CancellationToken ct)
    {
        try
        {
            if (saved.Setting.WhyNot(setting) is { } why)
            {
                throw new GuestMemoryException(why);
            }

            await MemoryOf(starting).RestoreAsync(begun.Monitor, saved, ct);
            LogResumed(tools.Log, name, saved.At);
        }
        catch (Exception e)
        {
            await begun.Monitor.DisposeAsync();
            await begun.Process.KillAsync(CancellationToken.None);
            // What was started beside it.
            await VmProcess.RemoveLeftoversAsync(tools.CgroupOf(starting), tools.Cgroups, tools.Time, CancellationToken.None);
            begun.Process.Release(VmPaths.Of(tools.Options, starting.Id));
            await tools.Network.DisconnectAsync(starting, CancellationToken.None);
            if (e is not GuestMemoryException)
            {
                throw;
            }

            ForgetSaved(e.Message);
            throw new VmStartException($"its saved memory cannot be used, it starts anew: {e.Message}", e);
        }
    }

    private void ForgetSaved(string why)
    {
        if (record is not { Saved: { } saved } kept)
        {
            return;
        }

        LogForgotten(tools.Log, name, saved.At, why);
        record = tools.Records.Put(kept with
        {
            Saved = null, LastExit = kept.LastExit is { } exit ? exit with { Message = $"its memory was saved at {saved.At:u} and not used: {why}" } : null,
        });
        File.Delete(VmPaths.Of(tools.Options, kept.Id).SavedMemory);
    }

    private GuestMemory MemoryOf(VmRecord whose) => new(VmPaths.Of(tools.Options, whose.Id), tools.Time);

    [LoggerMessage(Level = LogLevel.Information, Message = "Virtual machine {Name}: its memory is saved, {MiB} MiB")]
    private static partial void LogSaved(ILogger log, string name, long miB);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Virtual machine {Name}: its memory cannot be saved, its guest is asked to end: {Why}")]
    private static partial void LogNotSaved(ILogger log, string name, string why);

    [LoggerMessage(Level = LogLevel.Information, Message = "Virtual machine {Name} goes on from its memory of {At}")]
    private static partial void LogResumed(ILogger log, string name, DateTimeOffset at);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Virtual machine {Name}: its memory of {At} is not used: {Why}")]
    private static partial void LogForgotten(ILogger log, string name, DateTimeOffset at, string why);
}
