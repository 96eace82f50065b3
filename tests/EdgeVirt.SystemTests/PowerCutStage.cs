using EdgeVirt.Contracts.Resources;
using EdgeVirt.Testing;
using EdgeVirt.Testing.Boards;

namespace EdgeVirt.SystemTests;

/// <summary>Where the power of a board is cut.</summary>
/// <param name="Name">In words.</param>
/// <param name="IsReached">Whether it has come so far.</param>
/// <param name="LosesAnswer">Whether the hub's answer to its enrollment is to be lost.</param>
internal sealed record CutPoint(string Name, Func<PowerCutStage, Task<bool>> IsReached, bool LosesAnswer = false)
{
    /// <summary>When its disk was told to flush its cache so often since the boot loader chose a slot: what the firmware does before changes nothing.</summary>
    public static CutPoint After(long flushes) => new(
        $"{flushes} flushes of its disk since the boot loader",
        async stage => stage.HasStarted && await stage.Board.FlushesAsync() >= (stage.FlushesAtStart ??= await stage.Board.FlushesAsync()) + flushes);
}

/// <summary>A board with its card, its way to the hub, and what can be seen of it from outside.</summary>
internal sealed class PowerCutStage(Fleet fleet, EmulatedBoard board, HubDoor door, string node, string workload) : IAsyncDisposable
{
    private long token = Card.TokenOf(board.Disk);
    private int consoleAtStart;

    public EmulatedBoard Board => board;

    public HubDoor Door => door;

    public string Node => node;

    /// <summary>The boot that its power was cut in, as far as the hub knows.</summary>
    public string? BootBefore { get; set; }

    /// <summary>Flushes when the boot loader was first seen in this boot.</summary>
    public long? FlushesAtStart { get; set; }

    /// <summary>Whether the boot loader has chosen a slot in this boot.</summary>
    public bool HasStarted => board.Console[consoleAtStart..].Contains("EdgeVirt: slot", StringComparison.Ordinal);

    public bool HasToken => Card.HasToken(board.Disk, token);

    public void PowerOn()
    {
        (consoleAtStart, FlushesAtStart) = (board.Console.Length, null);
        board.PowerOn();
    }

    public void GiveToken(string text)
    {
        Card.Edit(board.Disk, settings => settings["claimToken"] = text);
        token = Card.TokenOf(board.Disk);
    }

    public Task<NodeStatus> StatusAsync() => fleet.NodeStatusAsync(node);

    /// <summary>Whether the hub has noted an enrollment, <c>joined</c> or <c>repeated</c>.</summary>
    public async Task<bool> IsAuditedAsync(string word) =>
        (await fleet.Hub.Api.AuditAsync()).Any(entry => entry.Actor == $"node/{node}" && entry.Reason.StartsWith(word, StringComparison.Ordinal));

    public async Task<bool> RunsWorkloadAsync() =>
        (await fleet.Hub.Api.WorkloadStatusAsync(workload)).Instances.Any(one => one.Node == node && one.Conditions.Is(ConditionTypes.Ready, ConditionStatus.True));

    public async ValueTask DisposeAsync()
    {
        await board.DisposeAsync();
        await door.DisposeAsync();
        File.Delete(board.Disk);
    }
}
