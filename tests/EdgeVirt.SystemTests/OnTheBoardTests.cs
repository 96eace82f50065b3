using System.Globalization;
using System.Net;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Testing;
using EdgeVirt.Testing.Boards;
using NUnit.Framework.Interfaces;

namespace EdgeVirt.SystemTests;

/// <summary>
/// What somebody with a shell on a board does and sees, on an emulated board with the debug image: logs in with the key of the card's settings; agent and machine hang and are started
/// again by their watchdogs; the node moves to another hub; the board is reset.
/// </summary>
[Category("emulated")]
// Beside the other boards: an emulated one waits much of its time.
[Parallelizable(ParallelScope.Self)]
public sealed class OnTheBoardTests
{
    private const string Kind = "qemu-x86_64";
    private const string Architecture = "amd64";
    private const string Node = "oslo-18";
    private const string CardSettings = "/boot/esp/edgevirt/settings.json";

    private static readonly TimeSpan BootPatience = TimeSpan.FromMinutes(8);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private TempDirectory directory = null!;
    private Fleet fleet = null!;
    private RealHub other = null!;
    private EmulatedBoard board = null!;
    private BoardShell shell = null!;

    [OneTimeSetUp]
    public async Task BootAsync()
    {
        if (EmulatedBoard.Obstacle is { } obstacle)
        {
            Assert.Ignore(obstacle);
        }

        directory = new TempDirectory();
        fleet = await Fleet.StartAsync(nodes: 0);
        fleet.Registry.Push(BoardGuest.Make(directory.Subdirectory("guest"), Kind, Architecture), "vm/guest:1");
        var second = IPAddress.Parse(fleet.Network.HostAddress.ToString()[..^1] + "2");
        Command.Run("ip", "address", "add", $"{second}/24", "dev", fleet.Network.Bridge);
        other = await RealHub.StartAsync(second);
        board = EmulatedBoard.Create(Architecture, directory.Combine($"{Kind}-debug.img"), fleet.Network, 97);
        shell = new BoardShell(directory, board.Address);
        Card.Flash(fleet, board, Kind, Node, "debug", sshKey: shell.PublicKey);
        board.PowerOn();
        await WaitForBootAsync(fleet.Hub, "");
    }

    [OneTimeTearDown]
    public async Task EndAsync()
    {
        if (board is not null)
        {
            await board.DisposeAsync();
        }

        if (other is not null)
        {
            await other.DisposeAsync();
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
            await TestContext.Out.WriteLineAsync(shell.Try("journalctl --no-pager -n 60; systemctl --no-pager --failed").Output);
        }
    }

    // One after the other, as each needs what the one before left.
    [Test]
    public async Task Is_logged_in_to_heals_itself_moves_to_another_hub_and_is_reset()
    {
        await IsLoggedInToAsync();
        await RunsAGuestInLittleMemoryAsync();
        await StartsAnAgentAgainThatHangsAsync();
        await MovesToAnotherHubAsync();
        await StartsAgainWhenAllHangsAsync();
        await IsResetAsync();
    }

    private async Task IsLoggedInToAsync()
    {
        var (_, who, _) = await HubApi.WaitForAsync("a shell", () => Task.FromResult(shell.Try("id -un")), now => now.ExitCode == 0, now => now.Error, Patience);
        Assert.That(who, Is.EqualTo("root\n"));
        var (code, _, error) = shell.Try("id", withKey: false);
        Assert.That((code, error), Is.EqualTo((255, $"root@{board.Address}: Permission denied (publickey).\r\n")), "no other key, and no password is asked for");
        Assert.That(shell.Run("systemctl --no-legend --plain --failed"), Is.Empty, "nothing has failed on the way up");
        Assert.That(shell.Run(". /etc/os-release; echo $VARIANT_ID"), Is.EqualTo("debug"));
    }

    private async Task RunsAGuestInLittleMemoryAsync()
    {
        await fleet.Hub.Api.ApplyAsync(SampleManifests.Sleeper("steady"));
        await fleet.Hub.Api.ApplyAsync(BoardGuest.Manifest(Architecture, "MicroVm"));
        await fleet.Hub.Api.WaitForWorkloadAsync("steady", 1, Patience);
        var cli = RealCli.At(fleet.Hub);
        await HubApi.WaitForAsync(
            "the guest's first program", () => Task.FromResult(cli.Try("console", "--log", "guest")), now => now.Output.Contains(LinuxGuest.Marker, StringComparison.Ordinal), now => $"{now}", Patience);
        var status = await fleet.Hub.Api.MachineStatusAsync("guest");
        Assert.That(status.Instances.Single().Conditions.Is(ConditionTypes.Accelerated, ConditionStatus.True), Is.True, "under KVM");

        // Resident memory of every mapping but the one that is the guest's.
        const string Beside = "awk -v guest=262144 '/^Size:/ { is = $2 == guest } /^Rss:/ { all += $2; if (is) own += $2 } END { print all - own, own }' /proc/$(pidof qemu-system-x86_64)/smaps";
        var figures = shell.Run(Beside).Split(' ').Select(figure => int.Parse(figure, CultureInfo.InvariantCulture)).ToList();
        TestContext.Progress.WriteLine($"memory that QEMU takes beside its guest's under KVM, MicroVm: {figures[0] / 1024.0:0.0} MiB (of the guest's own {figures[1] / 1024.0:0.0} MiB are resident)");
        Assert.That(figures[1], Is.GreaterThan(0), "the guest's memory was told from the rest");
        Assert.That(figures[0], Is.LessThanOrEqualTo(66 << 10), "about 60 MiB: a tenth is for another kernel or QEMU");
    }

    private async Task StartsAnAgentAgainThatHangsAsync()
    {
        var agent = shell.Run("pidof edgevirt-agent");
        var qemu = shell.Run("pidof qemu-system-x86_64");
        shell.Run($"kill -STOP {agent}");
        await HubApi.WaitForAsync(
            "systemd to start another agent", () => Task.FromResult(shell.Try("pidof edgevirt-agent").Output.Trim()), now => now.Length > 0 && now != agent, now => now, Patience);
        await HubApi.WaitForAsync(
            "the agent to be ready", () => Task.FromResult(shell.Try("systemctl is-active edgevirt-agent").Output.Trim()), now => now == "active", now => now, Patience);
        Assert.That(shell.Run("journalctl --no-pager -u edgevirt-agent"), Does.Contain("Watchdog timeout"));
        Assert.That(shell.Run("pidof qemu-system-x86_64"), Is.EqualTo(qemu), "the guest noticed nothing");
    }

    private async Task MovesToAnotherHubAsync()
    {
        var token = await other.Api.CreateClaimAsync("moved");
        var sleeper = shell.Run("pgrep -f '[s]leep 100000'");
        Assert.That(shell.Run($"umask 077; echo '{token}' >/run/token; edgevirt rehome --hub {other.NodeAddress} --token-file /run/token; rm /run/token"), Does.StartWith($"Moved from {fleet.Hub.NodeAddress} to {other.NodeAddress}, as {Node}."));
        var status = await WaitForNodeAsync(
            other, "to run on what the hub before wanted", now => now.Conditions.Is(ConditionTypes.DesiredStateAccepted, ConditionStatus.True, DesiredStateReasons.HubBeforeRunsOn));
        Assert.That(shell.Run("pgrep -f '[s]leep 100000'"), Is.EqualTo(sleeper), $"the new hub has nothing for it yet: {status}");
        await WaitForNodeAsync(fleet.Hub, "to be offline at the hub before", now => now.Is("Ready", ConditionStatus.Unknown) || now.Is("Ready", ConditionStatus.False));
        Assert.That(shell.Run($"cat {CardSettings}"), Does.Contain(other.NodeAddress).And.Not.Contain(fleet.Hub.NodeAddress), "the card knows the new one");

        await other.Api.ApplyAsync(SampleManifests.Sleeper("here"));
        await other.Api.WaitForWorkloadAsync("here", 1, Patience);
        await HubApi.WaitForAsync(
            "the machine of the hub before to end", () => Task.FromResult(shell.Try("pidof qemu-system-x86_64").Output.Trim()), now => now.Length == 0, now => now, Patience);
    }

    // systemd catches the signal and stands still from then on: nobody feeds the watchdog of the board any more.
    private async Task StartsAgainWhenAllHangsAsync()
    {
        var before = await StatusAsync(other);
        shell.Run("kill -SEGV 1");
        await WaitForBootAsync(other, before.BootId!);
        await other.Api.WaitForWorkloadAsync("here", 1, Patience);
    }

    private async Task IsResetAsync()
    {
        var before = await StatusAsync(other);
        shell.Run("echo old >/var/lib/edgevirt/old; sync");
        Assert.That(shell.Run($"edgevirt factory-reset --yes {Node}"), Does.Contain("The board restarts"));
        var screen = await HubApi.WaitForAsync(
            "the screen to say what the board needs", () => Task.FromResult(shell.Try("cat /proc/sys/kernel/random/boot_id; edgevirt screen --once")),
            now => now.ExitCode == 0 && !now.Output.Contains(before.BootId!, StringComparison.Ordinal) && now.Output.Contains("NotEnrolled", StringComparison.Ordinal), now => $"{now}", BootPatience);
        Assert.That(screen.Output, Does.Contain("Hub        none").And.Contain("edgevirt/settings.json"));
        Assert.That(shell.Run("test ! -e /boot/esp/edgevirt/factory-reset; ls /var/lib/edgevirt"), Does.Not.Contain("old"));

        await other.Api.DeleteAsync(ResourceKind.Node, Node);
        var token = await other.Api.CreateClaimAsync("again");
        shell.Run($"umask 077; echo '{token}' >/run/token; edgevirt node enroll --hub {other.NodeAddress} --token-file /run/token --name {Node}; rm /run/token");
        await WaitForNodeAsync(other, "to be Ready again", now => now.Is("Ready", ConditionStatus.True));
        await other.Api.WaitForWorkloadAsync("here", 1, Patience);
    }

    private Task<NodeStatus> WaitForBootAsync(RealHub hub, string before) =>
        WaitForNodeAsync(hub, "to be Ready after a boot", now => now.BootId is { } boot && boot != before && now.Is("Ready", ConditionStatus.True), BootPatience);

    private Task<NodeStatus> WaitForNodeAsync(RealHub hub, string what, Predicate<NodeStatus> fits, TimeSpan? patience = null) =>
        HubApi.WaitForAsync($"{Node} {what}", () => StatusAsync(hub), fits, now => now + board.Describe(), patience ?? Patience);

    private static async Task<NodeStatus> StatusAsync(RealHub hub) =>
        await hub.Api.GetAsync(ResourceKind.Node, Node) is { Status: { } status } ? status.Deserialize(ContractsJson.Default.NodeStatus)! : new NodeStatus();
}
