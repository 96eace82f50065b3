using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.VirtualMachines.GuestAgents;
using EdgeVirt.Node.VirtualMachines.Qmp;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>What the guest's own agent is asked now and then, between other steps: one conversation at a time is all that its channel has room for.</summary>
internal sealed partial class VmOwner
{
    private static readonly TimeSpan AskGuest = TimeSpan.FromSeconds(30);

    // One that keeps the channel open and says nothing holds up every pass that asks it.
    private static readonly TimeSpan AskSilentGuest = TimeSpan.FromMinutes(2);

    // So long a guest that goes on is looked for; its agent may need a moment to open the channel again.
    private static readonly TimeSpan ClockPatience = TimeSpan.FromSeconds(15);

    private long? wentOnAt;
    private IReadOnlyList<VirtualInterfaceStatus>? guestCards;
    private long guestAskedAt;
    private TimeSpan guestAskedFor;

    private GuestAgent GuestOf(QmpClient monitor) => new(VmPaths.Of(tools.Options, record!.Id).Agent, monitor, tools.Time, tools.Log);

    // A guest without an agent costs one question to QEMU.
    private async Task AskGuestAsync(CancellationToken ct)
    {
        if (guestState != "running" || watch?.Monitor is not { } monitor || tools.Time.GetElapsedTime(guestAskedAt) < guestAskedFor)
        {
            return;
        }

        try
        {
            var found = await GuestOf(monitor).AddressesAsync(ct);
            guestCards = found is null ? null : GuestCards.Of(record!.Cards, found);
            guestAskedFor = found is null ? TimeSpan.Zero : AskGuest;
        }
        catch (GuestAgentException)
        {
            (guestCards, guestAskedFor) = (null, AskSilentGuest);
        }
        catch (QmpException)
        {
            // The next pass finds out what became of QEMU.
        }

        guestAskedAt = tools.Time.GetTimestamp();
    }

    private void ForgetGuest() => (guestCards, guestAskedFor, wentOnAt) = (null, TimeSpan.Zero, null);

    /// <summary>Its guest stood still and goes on: its clock is behind by that.</summary>
    private void ExpectClockBehind() => wentOnAt = tools.Time.GetTimestamp();

    private async Task SetClockAsync(CancellationToken ct)
    {
        if (wentOnAt is not { } since || guestState != "running" || watch?.Monitor is not { } monitor)
        {
            return;
        }

        try
        {
            var isSet = await GuestOf(monitor).TrySetClockAsync(ct);
            if (isSet || tools.Time.GetElapsedTime(since) >= ClockPatience)
            {
                wentOnAt = null;
            }

            if (isSet)
            {
                LogClockSet(tools.Log, name);
            }
        }
        catch (GuestAgentException e)
        {
            wentOnAt = null;
            LogClockNotSet(tools.Log, name, e.Message);
        }
        catch (QmpException)
        {
            // The next pass finds out what became of QEMU.
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Virtual machine {Name}: its guest went on and has set its clock")]
    private static partial void LogClockSet(ILogger log, string name);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Virtual machine {Name}: its guest went on and its clock may be behind: {Why}")]
    private static partial void LogClockNotSet(ILogger log, string name, string why);
}
