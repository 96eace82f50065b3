using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Qmp;

namespace EdgeVirt.Node.VirtualMachines.Memory;

/// <summary>A machine that was asked to have another amount of memory.</summary>
/// <param name="Id">Of the machine.</param>
/// <param name="FromBytes">What it was to have before.</param>
/// <param name="ToBytes">What it is to have from now on.</param>
internal sealed record BalloonMove(string Id, long FromBytes, long ToBytes);

/// <summary>The balloons of machines that run and may be asked for memory. Safe for use by several threads.</summary>
/// <param name="minFreeBytes">Memory that is to be left on the node, bytes; 0: nobody is asked.</param>
/// <param name="available">Bytes that programs of the node could still get.</param>
/// <param name="time">Measures how long there was enough.</param>
internal sealed class Balloons(long minFreeBytes, Func<long> available, TimeProvider time)
{
    /// <summary>How long there has to be enough before memory is given back, and then between two steps.</summary>
    public static readonly TimeSpan Calm = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan GiveInterval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Deaf = TimeSpan.FromSeconds(30);
    private const int StatisticsSeconds = 5;

    private readonly ConcurrentDictionary<string, Machine> machines = new();
    private readonly BalloonPlan plan = new(minFreeBytes, 2 * minFreeBytes);
    private DateTimeOffset notBefore = time.GetUtcNow() + Calm;

    /// <summary>Whether nobody is to be asked.</summary>
    public bool IsOff => minFreeBytes == 0;

    /// <summary>Takes a machine in. One that is in already gets its new monitor.</summary>
    /// <param name="id">Of the machine.</param>
    /// <param name="terms">How far it may go.</param>
    /// <param name="monitor">Of its QEMU; its owner's.</param>
    public void Add(string id, BalloonTerms terms, QmpClient monitor) =>
        machines.AddOrUpdate(id, _ => new Machine(id, terms, monitor), (_, known) => ReferenceEquals(known.Monitor, monitor) ? known : new Machine(id, terms, monitor));

    /// <summary>Leaves a machine out that has ended.</summary>
    public void Remove(string id) => machines.TryRemove(id, out _);

    /// <summary>What the guest of a machine has, bytes; null: it is not known.</summary>
    public long? MemoryOf(string id) => machines.TryGetValue(id, out var machine) && machine.Actual > 0 ? machine.Actual : null;

    /// <summary>Looks at the node and its guests once, and takes or gives one step. Takes no longer than a QEMU may take for three answers.</summary>
    public async Task<IReadOnlyList<BalloonMove>> CheckAsync(CancellationToken ct)
    {
        if (IsOff || machines.IsEmpty)
        {
            return [];
        }

        List<Machine> all = [.. machines.Values];
        var heard = await Task.WhenAll(all.Select(machine => AskAsync(machine, ct)));
        List<Machine> known = [.. all.Where((_, i) => heard[i])];
        var (now, left) = (time.GetUtcNow(), available());
        if (left <= plan.HighBytes)
        {
            notBefore = now + Calm;
        }

        List<BalloonView> views =
        [
            .. known.Select(machine => new BalloonView(machine.Terms, machine.Actual, machine.Target, machine.Available, machine.Actual > machine.Target && now - machine.MovedAt > Deaf)),
        ];
        var next = plan.Next(left, now >= notBefore, views);
        var moves = await Task.WhenAll(known.Select((machine, i) => next[i] == machine.Target ? Task.FromResult<BalloonMove?>(null) : SetAsync(machine, next[i], now, ct)));
        List<BalloonMove> done = [.. moves.OfType<BalloonMove>()];
        if (done.Count > 0 && now >= notBefore)
        {
            notBefore = now + GiveInterval;
        }

        return done;
    }

    private async Task<bool> AskAsync(Machine machine, CancellationToken ct)
    {
        try
        {
            if (!machine.IsCounted)
            {
                // Guests without the statistics have the balloon all the same.
                await machine.Monitor.ExecuteAsync("qom-set", new JsonObject { ["path"] = QemuResources.Balloon, ["property"] = "guest-stats-polling-interval", ["value"] = StatisticsSeconds }, ct: ct);
                machine.IsCounted = true;
            }

            var actual = (await machine.Monitor.ExecuteAsync("query-balloon", ct: ct)).GetProperty("actual").GetInt64();
            if (actual != machine.Actual)
            {
                (machine.Actual, machine.MovedAt) = (actual, time.GetUtcNow());
            }

            // Since before this run of the agent.
            machine.Target = machine.Target == 0 ? actual : machine.Target;
            machine.Available = AvailableIn(await machine.Monitor.ExecuteAsync("qom-get", new JsonObject { ["path"] = QemuResources.Balloon, ["property"] = "guest-stats" }, ct: ct));
            return true;
        }
        catch (Exception e) when (e is QmpException or QmpCommandException)
        {
            // Its owner sees what became of it.
            return false;
        }
    }

    private static async Task<BalloonMove?> SetAsync(Machine machine, long bytes, DateTimeOffset now, CancellationToken ct)
    {
        try
        {
            await machine.Monitor.ExecuteAsync("balloon", new JsonObject { ["value"] = bytes }, ct: ct);
            var move = new BalloonMove(machine.Id, machine.Target, bytes);
            (machine.Target, machine.MovedAt) = (bytes, machine.Actual <= machine.Target ? now : machine.MovedAt);
            return move;
        }
        catch (Exception e) when (e is QmpException or QmpCommandException)
        {
            return null;
        }
    }

    // {"stats": {"stat-available-memory": 123, …}, "last-update": 1700000000}; what a guest does not say is 2^64-1.
    private static long? AvailableIn(JsonElement statistics) =>
        statistics.TryGetProperty("last-update", out var at) && at.TryGetInt64(out var seconds) && seconds > 0 &&
        statistics.TryGetProperty("stats", out var stats) && stats.TryGetProperty("stat-available-memory", out var value) && value.TryGetInt64(out var bytes) && bytes >= 0 ? bytes : null;

    private sealed class Machine(string id, BalloonTerms terms, QmpClient monitor)
    {
        public string Id => id;

        public BalloonTerms Terms => terms;

        public QmpClient Monitor => monitor;

        public bool IsCounted { get; set; }

        public long Actual { get; set; }

        public long Target { get; set; }

        public long? Available { get; set; }

        public DateTimeOffset MovedAt { get; set; }
    }
}
