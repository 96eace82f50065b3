using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Reconcile;
using EdgeVirt.Node.State;
using EdgeVirt.Node.VirtualMachines.Consoles;
using EdgeVirt.Node.VirtualMachines.Cpus;
using EdgeVirt.Node.VirtualMachines.Devices;
using EdgeVirt.Node.VirtualMachines.Memory;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Qmp;
using EdgeVirt.Node.VirtualMachines.Snapshots;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>What all owners share.</summary>
internal sealed record VmTools(NodeOptions Options, NodeStore Store, VmRecords Records, VmPreparation Preparation, VmNetwork Network, Cgroups Cgroups)
{
    /// <summary>The control group below which every machine has one.</summary>
    public required string CgroupParent { get; init; }

    public required SnapshotTools Snapshots { get; init; }

    public required TimeProvider Time { get; init; }

    public CpuShares Cpus { get; init; } = new(CpuTopology.Read);

    public HugePageGate HugePages { get; init; } = new(new HugePages());

    public Balloons Balloons { get; init; } = new(Options.MemoryMinFreeBytes, () => SystemFacts.AvailableMemoryBytes, TimeProvider.System);

    public required ILogger Log { get; init; }

    public MachineDevices Devices { get; init; } = new(Records, Options.Devices);

    public string CgroupOf(VmRecord record) => $"{CgroupParent}/machines/{record.Id}";
}

/// <summary>What is to be: the machine, and the document that it stands in.</summary>
internal sealed record VmOrder(DesiredVirtualMachine Machine, NodeDocument Document)
{
    public VirtualMachinePower Power => Machine.Spec.Power ?? VirtualMachinePower.Running;
}

/// <summary>
/// Everything that happens to one machine happens here, one pass at a time: it looks what became of its QEMU, compares with what
/// is to be, and takes the next step. A pass waits for QEMU no longer than its monitor may take to answer; only getting a machine ready takes longer.
/// </summary>
internal sealed partial class VmOwner(string name, VmTools tools) : IOwner, IAsyncDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MostRetry = TimeSpan.FromMinutes(5);
    private const int DefaultGraceSeconds = 60;

    private readonly Backoff retries = new(FirstRetry, MostRetry);
    private VmRecord? record;
    private VmProcess? process;
    private VmWatch? watch;
    private string? guestState;
    private VmProblem? problem;
    private long problemGeneration;
    private DateTimeOffset? retryAt;
    private bool adopted;

    public string Name => name;

    /// <summary>Null: nobody wants it. Set by the reconciler, read at the start of each pass.</summary>
    public VmOrder? Order { get; set; }

    /// <summary>When the next pass is due without a cause; null: never.</summary>
    public DateTimeOffset? Due { get; private set; }

    /// <summary>Nothing is left of it, and nothing is wanted.</summary>
    public bool IsGone => Order is null && record is null && reported is null;

    /// <summary>Memory that it takes of the node, bytes.</summary>
    public long MemoryBytes => record?.Run?.MemoryBytes ?? 0;

    /// <summary>Raised with its name when it needs a pass. On any thread.</summary>
    public event Action<string>? Woken;

    /// <summary>A record of an earlier run of the agent.</summary>
    public void Adopt(VmRecord found)
    {
        record = found;
        tools.Network.Recover(found);
        if (found.Run?.Cpus is { } cpus)
        {
            tools.Cpus.Restore(found.Id, cpus);
        }
    }

    /// <summary>Looks, reports, and takes the next steps until one has to wait.</summary>
    public async Task PassAsync(CancellationToken ct)
    {
        Due = null;
        for (var acts = true; acts;)
        {
            ct.ThrowIfCancellationRequested();
            await ObserveAsync(ct);
            await ReportAsync(ct);
            acts = await StepAsync(ct);
        }

        await ReportAsync(ct);
    }

    public async ValueTask DisposeAsync()
    {
        RefuseRequests("it is not on this node any more, or the agent ends; try again");
        if (watch is not null)
        {
            await watch.DisposeAsync();
        }
    }

    // What became of its QEMU.
    private async Task ObserveAsync(CancellationToken ct)
    {
        guestState = null;
        if (record?.Run is not { } run)
        {
            if (record is not null && !adopted)
            {
                // The agent may have ended between the start and its record.
                await VmProcess.RemoveLeftoversAsync(tools.CgroupOf(record), tools.Cgroups, tools.Time, ct);
                await tools.Network.ClearAsync(record, ct);
            }

            // What could not be given back at the end of its run, or was taken for one that never began.
            record = record is null ? null : tools.Devices.Release(record, VmPaths.Of(tools.Options, record.Id));
            adopted = true;
            return;
        }

        if (process is null)
        {
            await AdoptAsync(run, ct);
        }

        if (process is not null && !adopted)
        {
            // By itself, so that it is tried again where a tool refused.
            await tools.Network.AdoptAsync(record, ct);
        }

        adopted = true;

        if (process is { IsAlive: true } && run.Tpm is { } tpm && TpmEmulator.HasEnded(tpm) && !await process.EndsWithinAsync(TpmEmulator.Parting, ct))
        {
            await process.KillAsync(ct);
            await EndedAsync(VmExits.WithoutTpm(tools.Time.GetUtcNow()));
        }

        if (process is { IsAlive: true })
        {
            var paths = VmPaths.Of(tools.Options, record.Id);
            ConsoleLog.Bound(paths.ConsoleLog);
            // QEMU writes a line each time a watchdog expires for the first time: a guest has it in its hands how often.
            ConsoleLog.Bound(paths.QemuLog);
            await AskAsync(ct);
            await FitAsync(ct);
        }

        if (process is { IsAlive: false } ended)
        {
            await EndedAsync(VmExits.Of(ended.ExitCode, watch?.Seen, ended.RanOutOfMemory, record.StopAsked is not null, tools.Time.GetUtcNow()));
        }
    }

    private async Task AdoptAsync(VmRun run, CancellationToken ct)
    {
        var paths = VmPaths.Of(tools.Options, record!.Id);
        var found = await VmProcess.AdoptAsync(new ProcessIdentity(run.Pid, run.StartTime), paths, tools.CgroupOf(record), tools.Cgroups, tools.Time, ct);
        if (found is not { } known)
        {
            await VmProcess.RemoveLeftoversAsync(tools.CgroupOf(record), tools.Cgroups, tools.Time, ct);
            await EndedAsync(VmExits.Lost(tools.Time.GetUtcNow()));
            return;
        }

        process = known.Process;
        if (known.Monitor is { } monitor)
        {
            watch = new VmWatch(monitor, Wake, VmHappenings.Before(reported, run));
            LogAdopted(tools.Log, name, run.Pid);
        }
    }

    // Asks QEMU how its guest is; one that does not answer is killed.
    private async Task AskAsync(CancellationToken ct)
    {
        try
        {
            if (watch is null or { IsOver: true })
            {
                var monitor = await QmpClient.ConnectAsync(VmPaths.Of(tools.Options, record!.Id).Qmp, QmpLimits.Default, tools.Time, ct);
                var before = watch;
                watch = new VmWatch(monitor, Wake, before?.Seen ?? VmHappenings.Before(reported, record.Run!));
                await (before?.DisposeAsync() ?? ValueTask.CompletedTask);
            }

            var status = await watch.Monitor.ExecuteAsync("query-status", ct: ct);
            guestState = status.GetProperty("status").GetString();
        }
        catch (QmpException e)
        {
            // It closes the monitor a moment before it ends.
            if (process!.IsAlive && !await process.EndsWithinAsync(TimeSpan.FromSeconds(1), ct))
            {
                LogHung(tools.Log, name, e.Message);
                await process.KillAsync(ct);
                await EndedAsync(VmExits.HungUp(e.Message, tools.Time.GetUtcNow()));
            }
        }
    }

    private async Task EndedAsync(ContainerExit exit)
    {
        var ended = record!;
        if (ended.Run?.Tpm is { } tpm)
        {
            await TpmEmulator.EndAsync(tpm, tools.CgroupOf(ended), tools.Time);
        }

        // A guest that ended by itself a moment before it was asked has ended as asked.
        record = tools.Records.Put(ended with { Run = null, StopAsked = null, LastExit = exit, Failures = VmExits.FailuresAfter(ended, exit) });
        process?.Release(VmPaths.Of(tools.Options, ended.Id));
        LetGo(ended);
        await tools.Network.DisconnectAsync(ended, CancellationToken.None);
        process = null;
        ForgetGuest();
        if (watch is { } over)
        {
            watch = null;
            await over.DisposeAsync();
        }

        LogEnded(tools.Log, name, exit.Code, exit.Reason);
        record = tools.Devices.Release(record, VmPaths.Of(tools.Options, record.Id));
    }

    private void Wake() => Woken?.Invoke(name);

    [LoggerMessage(Level = LogLevel.Information, Message = "Adopted virtual machine {Name}, process {Pid}")]
    private static partial void LogAdopted(ILogger log, string name, int pid);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Virtual machine {Name} is killed: {Why}")]
    private static partial void LogHung(ILogger log, string name, string why);

    [LoggerMessage(Level = LogLevel.Information, Message = "Virtual machine {Name} ended with code {Code}: {Reason}")]
    private static partial void LogEnded(ILogger log, string name, int code, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Virtual machine {Name} is not Ready, {Reason}: {Problem}")]
    private static partial void LogProblem(ILogger log, string name, string reason, string problem);
}
