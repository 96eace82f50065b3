using System.Globalization;
using System.Text.RegularExpressions;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Tests.VirtualMachines.GuestAgents;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.VirtualMachines.Suspend;

/// <summary>A Linux guest that counts in its memory, on a node that goes down and comes back.</summary>
[Category("root")]
public sealed partial class RealSuspendTests
{
    private const string Counting = "n=0; while :; do n=$((n+1)); echo \"N $n.\"; bb sleep 0.05; done";

    private GuestBoard? board;

    private GuestBoard Board => board!;

    private MachineAgent Agent => Board.Agent;

    private VmRecord Record => Board.Record;

    private VmPaths Paths => Board.Paths;

    [TearDown]
    public async Task TearDown()
    {
        await (board?.DisposeAsync() ?? ValueTask.CompletedTask);
        board = null;
    }

    [TestCase(VirtualMachineModel.Q35)]
    [TestCase(VirtualMachineModel.MicroVm)]
    public async Task A_guest_goes_on_from_its_memory(VirtualMachineModel model)
    {
        await StartAsync(Machine(model));
        await GoDownAsync();
        var counted = LastNumber();
        Assert.That(Record.Saved, Is.Not.Null);
        Assert.That(new FileInfo(Paths.SavedMemory).Length, Is.EqualTo(Record.Saved!.Bytes).And.LessThan(256L << 20));
        Assert.That(File.GetUnixFileMode(Paths.SavedMemory), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));

        await ComeBackAsync();
        await Agent.UntilAsync("router", GuestBoard.IsReady);
        await UntilAsync(() => LastNumber() >= counted + 3, "it goes on counting");
        Assert.That(Said().Split(LinuxGuest.Marker), Has.Length.EqualTo(2), "it did not start again");
        Assert.That(Numbers(), Is.EqualTo(Enumerable.Range(1, LastNumber())), "nothing is missing and nothing there twice");
        Assert.That((Record.Saved, File.Exists(Paths.SavedMemory), Record.Restarts), Is.EqualTo((default(object), false, 0)), "it is used once");
    }

    [Test]
    public async Task A_guest_that_goes_on_has_the_right_time()
    {
        await StartAsync(Machine(), script: ShellAgent.Lines(obeys: true) + Counting);
        await UntilAsync(() => Said().Contains("AGENT UP.", StringComparison.Ordinal), "its agent is up");
        await GoDownAsync();
        await Task.Delay(TimeSpan.FromSeconds(4));
        var resumed = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        await ComeBackAsync();
        await UntilAsync(() => Said().Contains("CLOCK SET.", StringComparison.Ordinal), "its clock is set");
        var (before, after) = ShellAgent.ClockIn(Said());
        Assert.That(after - before, Is.InRange(3, 60), "it was behind");
        Assert.That(after, Is.InRange(resumed - 1, TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() + 1), "and is not any more");
    }

    [Test]
    public async Task A_memory_that_no_longer_fits_is_not_used()
    {
        await StartAsync(Machine());
        await GoDownAsync();
        await ComeBackAsync(Machine(generation: 2) with { Spec = Machine().Spec with { Cpu = new VirtualCpuSpec { Cores = 2 } } });
        await Agent.UntilAsync("router", GuestBoard.IsReady);
        await UntilAsync(() => Said().Split(LinuxGuest.Marker).Length == 3, "it starts again");
        Assert.That((Record.Saved, File.Exists(Paths.SavedMemory)), Is.EqualTo((default(object), false)));
        Assert.That(Record.LastExit!.Message, Does.Contain("not used").And.Contain("changed"));
    }

    [Test]
    public async Task A_memory_that_is_damaged_is_not_used()
    {
        await StartAsync(Machine());
        await GoDownAsync();
        await using (var file = File.OpenWrite(Paths.SavedMemory))
        {
            file.Position = file.Length / 2;
            file.Write("other"u8);
        }

        await ComeBackAsync();
        await Agent.UntilAsync("router", GuestBoard.IsReady);
        await UntilAsync(() => Said().Split(LinuxGuest.Marker).Length == 3, "it starts again");
        Assert.That(Record.LastExit!.Message, Does.Contain("damaged"));
    }

    [Test]
    public async Task A_QEMU_that_outlived_the_agent_which_saved_it_never_runs_its_guest_again()
    {
        await StartAsync(Machine());
        await GoDownAsync();
        var saved = Record;
        await ComeBackAsync();
        await Agent.UntilAsync("router", GuestBoard.IsReady);
        var run = Record.Run!;
        // As if the agent had been killed between the record and the end of its QEMU.
        Agent.Records.Put(Record with { Saved = saved.Saved });
        await Board.NextAgentAsync();
        await Agent.UntilAsync("router", now => GuestBoard.IsReady(now) && now.StartedAt > run.StartedAt);
        Assert.That(Processes.IsAlive(new ProcessIdentity(run.Pid, run.StartTime)), Is.False);
    }

    [Test]
    public async Task Who_does_not_ask_for_it_is_asked_to_end_and_starts_again_whatever_its_policy()
    {
        var machine = Machine() with { Spec = Machine().Spec with { OnNodeShutdown = null, RestartPolicy = RestartPolicy.Never, TerminationGracePeriodSeconds = 1 } };
        await StartAsync(machine);
        await GoDownAsync();
        Assert.That((Record.Saved, Record.LastExit!.Reason), Is.EqualTo((default(object), VmExits.Stopped)));
        await ComeBackAsync(machine);
        await Agent.UntilAsync("router", GuestBoard.IsReady);
        await UntilAsync(() => Said().Split(LinuxGuest.Marker).Length == 3, "it starts again");
    }

    [Test]
    public async Task Where_there_is_no_room_the_guest_is_asked_to_end()
    {
        var machine = Machine() with { Spec = Machine().Spec with { TerminationGracePeriodSeconds = 1 } };
        await StartAsync(machine, minFree: long.MaxValue / 2);
        await GoDownAsync();
        Assert.That((Record.Saved, Record.LastExit!.Reason), Is.EqualTo((default(object), VmExits.Stopped)));
        Assert.That(Directory.GetFiles(Paths.DataDirectory).Select(Path.GetFileName), Has.None.StartsWith("memory"));
    }

    [Test]
    public async Task The_end_of_the_agent_alone_touches_nothing()
    {
        await StartAsync(Machine());
        await new NodeShutdown(Agent.Reconciler, () => Task.FromResult(false), NullLogger<NodeShutdown>.Instance).RunAsync();
        Assert.That(Record.Run, Is.Not.Null);
        Assert.That((await Agent.UntilAsync("router", GuestBoard.IsReady)).State, Is.EqualTo(VirtualMachineState.Running));
    }

    private static DesiredVirtualMachine Machine(VirtualMachineModel model = VirtualMachineModel.Q35, long generation = 1) => GuestBoard.Machine(
        with: spec => spec with { OnNodeShutdown = VirtualMachineShutdown.Suspend, Machine = model, TerminationGracePeriodSeconds = null }, generation: generation);

    private async Task StartAsync(DesiredVirtualMachine machine, long minFree = 0, string script = Counting)
    {
        board = await GuestBoard.StartLinuxAsync(script, new MachineAgentSetup { MinFree = minFree });
        await Board.DesireAsync(machine);
        await Agent.UntilAsync("router", GuestBoard.IsReady);
        await UntilAsync(() => LastNumber() >= 3, "it counts to 3");
    }

    private async Task GoDownAsync()
    {
        await new NodeShutdown(Agent.Reconciler, () => Task.FromResult(true), NullLogger<NodeShutdown>.Instance).RunAsync();
        Assert.That(Record.Run, Is.Null);
    }

    private async Task ComeBackAsync(DesiredVirtualMachine? changed = null)
    {
        await Board.NextAgentAsync();
        if (changed is not null)
        {
            await Board.DesireAsync(changed);
        }
    }

    private string Said() => Board.ConsoleOf();

    private List<int> Numbers() => [.. Counted().Matches(Said()).Select(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture))];

    private int LastNumber() => Numbers().LastOrDefault();

    private Task UntilAsync(Func<bool> holds, string what) => Board.UntilAsync(holds, what);

    [GeneratedRegex(@"N (\d+)\.")]
    private static partial Regex Counted();
}
