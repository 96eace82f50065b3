using EdgeVirt.Contracts.Resources;
using EdgeVirt.Testing;
using EdgeVirt.Testing.Boards;
using NUnit.Framework.Interfaces;

namespace EdgeVirt.SystemTests;

/// <summary>
/// From a built image to a node at work, with no step by hand: flashed by the published program, booted on an emulated board, enrolled by the token on its
/// card, with a container, a virtual machine and telemetry.
/// </summary>
[Category("emulated")]
// Beside the other boards: an emulated one waits much of its time.
[Parallelizable(ParallelScope.Self)]
[TestFixture("qemu-arm64", "arm64")]
[TestFixture("qemu-x86_64", "amd64")]
public sealed class BoardTests(string kind, string architecture)
{
    private const string Node = "oslo-17";

    // An emulated processor is slow, and slower beside other work.
    private static readonly TimeSpan BootPatience = TimeSpan.FromMinutes(6);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    private TempDirectory directory = null!;
    private Fleet fleet = null!;
    private EmulatedBoard board = null!;

    [OneTimeSetUp]
    public async Task BootAsync()
    {
        if (EmulatedBoard.Obstacle is { } obstacle)
        {
            Assert.Ignore(obstacle);
        }

        directory = new TempDirectory();
        fleet = await Fleet.StartAsync(nodes: 0);
        fleet.Registry.Push(SampleImages.WebFor(architecture), "sample/web:1");
        fleet.Registry.Push(BoardGuest.Make(directory.Subdirectory("guest"), kind, architecture), "vm/guest:1");
        board = EmulatedBoard.Create(architecture, directory.Combine($"{kind}.img"), fleet.Network, 98);
        Card.Flash(fleet, board, kind, Node);
        board.PowerOn();
        await WaitForNodeAsync();
    }

    [OneTimeTearDown]
    public async Task EndAsync()
    {
        if (board is not null)
        {
            await board.DisposeAsync();
        }

        if (fleet is not null)
        {
            await fleet.DisposeAsync();
        }

        directory?.Dispose();
    }

    [TearDown]
    public async Task TellAsync()
    {
        if (TestContext.CurrentContext.Result.Outcome.Status == TestStatus.Failed && board is not null)
        {
            await TestContext.Out.WriteLineAsync(board.Describe());
        }
    }

    // One after the other, as each needs the boot that the one before left.
    [Test]
    public async Task Enrolls_and_runs_a_container_and_a_virtual_machine_and_comes_back_from_a_power_cut()
    {
        await DescribesItselfAsync();
        await RunsAContainerAsync();
        await RunsAVirtualMachineAsync();
        await SendsTelemetryAsync();
        await ComesBackFromAPowerCutAsync();
    }

    private async Task DescribesItselfAsync()
    {
        var status = await HubApi.WaitForAsync(
            "the address from the card",
            () => fleet.NodeStatusAsync(Node),
            now => now.Addresses.Contains(board.Address.ToString()),
            now => now.ToString(),
            Patience);
        Assert.That(status.OperatingSystem, Does.Contain("13 (trixie)"));
        Assert.That((status.Image?.Id, status.Image?.Slot), Is.EqualTo(($"edgevirt-{kind}", "A")));
        Assert.That(status.ContainerRuntime, Does.StartWith("crun "));
        Assert.That(status.MemoryBytes, Is.GreaterThan(2L << 30));
    }

    private async Task RunsAContainerAsync()
    {
        await fleet.Hub.Api.ApplyAsync(SampleManifests.Web);
        await fleet.Hub.Api.WaitForWorkloadAsync("web", 1, Patience);
        Assert.That(await Fleet.FetchAsync(board.Address, Patience), Does.Contain("EdgeVirt"));
    }

    private async Task RunsAVirtualMachineAsync()
    {
        // QEMU emulates EL2 and SVM, so that the kernel of the board has KVM of its own.
        await fleet.Hub.Api.ApplyAsync(BoardGuest.Manifest(architecture));
        var status = await WaitForMachineAsync(Patience);
        Assert.That(status.Instances.Single().Conditions.Is(ConditionTypes.Accelerated, ConditionStatus.True), Is.True, string.Join("; ", status.Instances.Single().Conditions));
        var cli = RealCli.At(fleet.Hub);
        await HubApi.WaitForAsync(
            "the guest's kernel and its first program on its console",
            () => Task.FromResult(cli.Try("console", "--log", "guest").Output),
            log => log.Contains(LinuxGuest.Marker, StringComparison.Ordinal),
            log => log,
            Patience);
    }

    private async Task SendsTelemetryAsync()
    {
        var answer = await HubApi.WaitForAsync(
            "telemetry of the board",
            () => fleet.Hub.Api.QueryTelemetryAsync($"node={Node}&metric=system.memory.usage"),
            now => now.Points.Count > 3,
            now => $"{now.Points.Count} points",
            Patience);
        Assert.That(answer.Points[^1].Time, Is.EqualTo(DateTimeOffset.UtcNow).Within(TimeSpan.FromMinutes(10)), "its clock chip says 2000");
    }

    private async Task ComesBackFromAPowerCutAsync()
    {
        var before = await fleet.NodeStatusAsync(Node);
        await board.CutPowerAsync();
        board.PowerOn();
        await HubApi.WaitForAsync(
            "the node to be Ready after another boot",
            () => fleet.NodeStatusAsync(Node),
            now => now.BootId != before.BootId && now.Is("Ready", ConditionStatus.True),
            now => now.ToString() + board.Describe(),
            BootPatience);
        await fleet.Hub.Api.WaitForWorkloadAsync("web", 1, Patience);
        Assert.That(await Fleet.FetchAsync(board.Address, Patience), Does.Contain("EdgeVirt"));
        await WaitForMachineAsync(Patience * 2);
    }

    private Task<VirtualMachineStatus> WaitForMachineAsync(TimeSpan patience) => HubApi.WaitForAsync(
        "the machine to be Ready",
        () => fleet.Hub.Api.MachineStatusAsync("guest"),
        now => now is { ReadyInstances: 1, DesiredInstances: 1 },
        now => now.ToString(),
        patience);

    private Task<NodeStatus> WaitForNodeAsync() => HubApi.WaitForAsync(
        "the board to be a Ready node",
        () => fleet.NodeStatusAsync(Node),
        now => now.Is("Ready", ConditionStatus.True),
        now => now.ToString() + board.Describe(),
        BootPatience);
}
