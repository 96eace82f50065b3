using System.Diagnostics;
using System.Globalization;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Testing;
using EdgeVirt.Testing.Boards;

namespace EdgeVirt.SystemTests;

/// <summary>
/// The power of a board is cut during its first boot and while it is reset; it comes up all the same, enrolls with the token of its card, and has its data whole. Its disk either loses
/// whatever was not flushed or keeps all that was written: what real ones keep lies between. Each run cuts at a few points, on one card; with EDGEVIRT_POWER_CUTS=20 in the
/// environment each of twenty has a card of its own, which takes long: 41 boots.
/// </summary>
[Category("emulated")]
// Beside the other boards: an emulated one waits much of its time.
[Parallelizable(ParallelScope.Self)]
public sealed class PowerCutTests
{
    private const string Kind = "qemu-x86_64";
    private const string Architecture = "amd64";
    private const string Workload = "steady";
    private const string Identity = "lib/edgevirt/identity/identity.json";
    private const string Mark = "edgevirt/factory-reset";
    private const int All = 20;

    // Flushes of the disk after which the power is cut: the table without the partition; its file system being made.
    private static readonly long[] CutsOfReset = [2, 8];

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(8);

    // In the order in which a first boot passes them.
    private static readonly CutPoint[] States =
    [
        new("the boot loader has chosen a slot", stage => Task.FromResult(stage.HasStarted)),
        new("the data partition is in the table", stage => Task.FromResult(Card.PartitionOf(stage.Board.Disk, "data") is not null)),
        new("the token has left the card", stage => Task.FromResult(!stage.HasToken)),
        new("the hub is asked who it is", stage => Task.FromResult(stage.Door.Connections > 0)),
        new("the hub is shown the token", stage => Task.FromResult(stage.Door.Connections > 1)),
        new("the hub has taken the token, and its answer is lost", stage => stage.IsAuditedAsync("joined"), LosesAnswer: true),
        new("the hub has taken the token", stage => stage.IsAuditedAsync("joined")),
        new("the node is Ready", async stage => (await stage.StatusAsync()).Is("Ready", ConditionStatus.True)),
        new("its workload runs", stage => stage.RunsWorkloadAsync()),
    ];

    private TempDirectory directory = null!;
    private Fleet fleet = null!;
    private int boards;

    private static bool IsWhole => Environment.GetEnvironmentVariable("EDGEVIRT_POWER_CUTS") == All.ToString(CultureInfo.InvariantCulture);

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        if (EmulatedBoard.Obstacle is { } obstacle)
        {
            Assert.Ignore(obstacle);
        }

        directory = new TempDirectory();
        fleet = await Fleet.StartAsync(nodes: 0);
        await fleet.Hub.Api.ApplyAsync(SampleManifests.Sleeper(Workload));
    }

    [OneTimeTearDown]
    public async Task EndAsync()
    {
        if (fleet is not null)
        {
            await fleet.DisposeAsync();
        }

        directory?.Dispose();
    }

    [Test]
    public async Task Comes_up_and_enrolls_after_every_power_cut_of_its_first_boot_and_of_a_reset()
    {
        await using var stage = Stage("cut", losesCache: true, losesAnswer: true);
        int[] some = [1, 2, 5];
        foreach (var point in some.Select(at => States[at]))
        {
            await CutAsync(stage, point);
        }

        await ComesUpAsync(stage);
        Assert.That(await stage.IsAuditedAsync("repeated"), Is.True, "the same key with the same token");
        await IsResetAsync(stage, await IsWholeAsync(stage));
    }

    [Test]
    public async Task Comes_up_and_enrolls_after_a_power_cut_at_any_of_twenty_points()
    {
        if (!IsWhole)
        {
            Assert.Ignore($"41 boots of an emulated board: set EDGEVIRT_POWER_CUTS={All} for it");
        }

        long flushes;
        await using (var undisturbed = Stage("undisturbed", losesCache: true))
        {
            undisturbed.PowerOn();
            await HubApi.WaitForAsync("the boot loader", () => Task.FromResult(undisturbed.HasStarted), now => now, now => $"{now}", Patience);
            var atStart = await undisturbed.Board.FlushesAsync();
            await IsUpAsync(undisturbed);
            flushes = await undisturbed.Board.FlushesAsync() - atStart;
        }

        // Evenly over what the disk was told, since nothing else outlives a cut.
        var between = All - States.Length;
        var points = States.Concat(Enumerable.Range(1, between).Select(step => CutPoint.After(flushes * step / (between + 1)))).ToList();
        TestContext.Progress.WriteLine($"an undisturbed first boot: {flushes} flushes");
        List<string> failed = [];
        foreach (var (number, point) in points.Index())
        {
            await using var stage = Stage($"cut-{number + 1}", losesCache: number % 2 == 0, point.LosesAnswer);
            try
            {
                await CutAsync(stage, point);
                await ComesUpAsync(stage);
                await IsWholeAsync(stage);
            }
            catch (Exception e) when (e is TimeoutException or AssertionException or InvalidOperationException)
            {
                failed.Add($"{number + 1}, {point.Name}: {e.Message}{stage.Board.Describe()}");
                TestContext.Progress.WriteLine($"FAILED {failed[^1]}");
            }
        }

        Assert.That(failed, Is.Empty);
    }

    private static async Task CutAsync(PowerCutStage stage, CutPoint point)
    {
        var clock = Stopwatch.StartNew();
        stage.PowerOn();
        while (!await point.IsReached(stage))
        {
            if (clock.Elapsed > Patience)
            {
                throw new TimeoutException($"'{point.Name}' was not reached within {Patience.TotalMinutes} min");
            }

            await Task.Delay(Look);
        }

        var before = await stage.StatusAsync();
        await stage.Board.CutPowerAsync();
        stage.BootBefore = before.BootId;
        TestContext.Progress.WriteLine($"{stage.Node}: cut after {clock.Elapsed.TotalSeconds:0.0} s, {point.Name}; {(stage.Board.LosesCache ? "what was not flushed is lost" : "all that was written stays")}");
    }

    private static Task ComesUpAsync(PowerCutStage stage)
    {
        stage.PowerOn();
        return IsUpAsync(stage);
    }

    private static async Task IsUpAsync(PowerCutStage stage)
    {
        var clock = Stopwatch.StartNew();
        await HubApi.WaitForAsync(
            $"{stage.Node} to be Ready",
            stage.StatusAsync,
            now => now.BootId is not null && now.BootId != stage.BootBefore && now.Is("Ready", ConditionStatus.True),
            now => now.ToString(),
            Patience);
        await HubApi.WaitForAsync($"its workload on {stage.Node}", stage.RunsWorkloadAsync, now => now, now => $"{now}", Patience);
        var status = await stage.StatusAsync();
        Assert.That(status.Conditions.Single(one => one.Type == ConditionTypes.StorageHealthy).Status, Is.EqualTo(ConditionStatus.True), $"{status}");
        Assert.That(status.Conditions.Single(one => one.Type == ConditionTypes.BoardSettings).Status, Is.EqualTo(ConditionStatus.True), $"{status}");
        TestContext.Progress.WriteLine($"{stage.Node}: Ready with its workload after {clock.Elapsed.TotalSeconds:0.0} s");
    }

    // Off once more, so that what lies on the disk counts, not what the board has in its memory.
    private static async Task<string> IsWholeAsync(PowerCutStage stage)
    {
        await stage.Board.CutPowerAsync();
        var (faults, report, identity) = Card.Examine(stage.Board.Disk, Identity);
        Assert.That(faults, Is.Zero, report);
        Assert.That(identity, Does.Contain(stage.Node).And.Contain("BEGIN CERTIFICATE"));
        Assert.That(stage.HasToken, Is.False, "the token is no longer on the card");
        return identity;
    }

    // By hand, as on a laptop: the mark, and a token of the hub, which has forgotten the node.
    private async Task IsResetAsync(PowerCutStage stage, string before)
    {
        await fleet.Hub.Api.DeleteAsync(ResourceKind.Node, stage.Node);
        stage.GiveToken(await fleet.Hub.Api.CreateClaimAsync("again"));
        Card.Touch(stage.Board.Disk, Mark);
        foreach (var flushes in CutsOfReset)
        {
            await CutAsync(stage, CutPoint.After(flushes));
            Assert.That(Card.Has(stage.Board.Disk, Mark), Is.True, "the reset is not over");
        }

        await ComesUpAsync(stage);
        Assert.That(await IsWholeAsync(stage), Is.Not.EqualTo(before), "another identity");
        Assert.That(Card.Has(stage.Board.Disk, Mark), Is.False);
    }

    private PowerCutStage Stage(string node, bool losesCache, bool losesAnswer = false)
    {
        var board = EmulatedBoard.Create(Architecture, directory.Combine($"{node}.img"), fleet.Network, ++boards);
        board.LosesCache = losesCache;
        var door = new HubDoor(fleet.Network.HostAddress, fleet.Hub.NodeAddress, losesAnswer);
        Card.Flash(fleet, board, Kind, node, hub: door.Address);
        return new PowerCutStage(fleet, board, door, node, Workload);
    }
}
