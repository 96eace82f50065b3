using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.VirtualMachines.Qmp;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>What a QEMU said of itself since somebody listens to it.</summary>
/// <param name="ShutdownReason">Why it ends, in QEMU's words; null: it does not.</param>
/// <param name="IsPanicked">The guest's kernel gave up.</param>
/// <param name="Resets">How often the guest was reset.</param>
/// <param name="FailedDisk">Node of the newest disk that failed, and what failed; null: none since the guest went on.</param>
internal sealed record VmHappenings(string? ShutdownReason, bool IsPanicked, int Resets, string? FailedDisk)
{
    public static readonly VmHappenings None = new(null, false, 0, null);

    /// <summary>The newest reset; null: there was none.</summary>
    public VirtualMachineReset? LastReset { get; init; }

    /// <summary>Its watchdog expired, and nothing has come of it yet.</summary>
    public bool IsWatchdogExpired { get; init; }

    /// <summary>What lasts when a QEMU that runs on is listened to anew.</summary>
    /// <param name="told">What was told of it.</param>
    /// <param name="run">The one that runs.</param>
    public static VmHappenings Before(VirtualMachineInstanceStatus? told, VmRun run) =>
        told?.StartedAt == run.StartedAt ? None with { Resets = told.ResetCount, LastReset = told.LastReset } : None;
}

/// <summary>Listens to the events of a QEMU from the moment at which its monitor was connected.</summary>
internal sealed class VmWatch : IAsyncDisposable
{
    /// <summary>Reason of a reset that the guest itself asked for.</summary>
    public const string GuestReset = "GuestReset";

    private static readonly TimeSpan OneReset = TimeSpan.FromSeconds(1);

    private readonly Action woken;
    private readonly Task listening;
    private volatile VmHappenings seen;

    /// <param name="monitor">Owned from now on.</param>
    /// <param name="woken">Called on any thread when something happened that cannot wait for the next look.</param>
    /// <param name="before">What happened before.</param>
    public VmWatch(QmpClient monitor, Action woken, VmHappenings? before = null)
    {
        seen = before ?? VmHappenings.None;
        Monitor = monitor;
        this.woken = woken;
        listening = Task.Run(ListenAsync);
    }

    public QmpClient Monitor { get; }

    public VmHappenings Seen => seen;

    /// <summary>The connection ended: QEMU did, or it broke the protocol.</summary>
    public bool IsOver => listening.IsCompleted;

    public async ValueTask DisposeAsync()
    {
        await Monitor.DisposeAsync();
        await listening.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>What an event changes. Pure.</summary>
    internal static VmHappenings After(VmHappenings before, QmpEvent happened) => happened.Name switch
    {
        "SHUTDOWN" => before with { ShutdownReason = happened.Text("reason") ?? "unknown" },
        "GUEST_PANICKED" => before with { IsPanicked = true },
        // QEMU names it first and resets the guest then.
        "WATCHDOG" => before with { IsWatchdogExpired = true },
        // SeaBIOS resets a machine twice more by itself, within a tenth of a second.
        "RESET" when happened.At - before.LastReset?.At < OneReset => before,
        "RESET" when happened.Flag("guest") => before with
        {
            Resets = before.Resets + 1,
            LastReset = new VirtualMachineReset(before.IsWatchdogExpired ? VmExits.WatchdogExpired : GuestReset, happened.At),
            IsWatchdogExpired = false,
        },
        "BLOCK_IO_ERROR" when happened.Text("action") == "stop" => before with
        {
            FailedDisk = $"{happened.Text("node-name") ?? happened.Text("device")}: {happened.Text("operation") ?? "io"}: {happened.Text("reason") ?? "error"}",
        },
        "RESUME" => before with { FailedDisk = null },
        _ => before,
    };

    private async Task ListenAsync()
    {
        try
        {
            await foreach (var happened in Monitor.Events.ReadAllAsync())
            {
                var before = seen;
                seen = After(before, happened);
                // Resets wait for the next look: a guest could have the node write and send as often as it likes.
                if (happened.Name is "STOP" or "RESUME" or "BLOCK_JOB_COMPLETED" || (seen != before && happened.Name is not ("RESET" or "WATCHDOG")))
                {
                    woken();
                }
            }
        }
        catch (QmpException)
        {
            // The owner sees that it is over, and finds out what became of QEMU.
        }

        woken();
    }
}
