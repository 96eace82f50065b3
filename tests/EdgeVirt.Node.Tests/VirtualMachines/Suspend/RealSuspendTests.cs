using System.Globalization;
using System.Text.RegularExpressions;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Tests.VirtualMachines.GuestAgents;
using EdgeVirt.Node.Tests.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Consoles;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.VirtualMachines.Suspend;

/// <summary>A Linux guest that counts in its memory, on a node that goes down and comes back.</summary>
[Category("root")]
public sealed partial class RealSuspendTests
{
    private const string Counting = "n=0; while :; do n=$((n+1)); echo \"N $n.\"; bb sleep 0.05; done";

    private TempDirectory directory = null!;
    private NodeOptions options = null!;
    private MachineAgent agent = null!;

    private string Host => directory.Combine("host.netns");

    private VmRecord Record => agent.Records.All.Single();

    private VmPaths Paths => VmPaths.Of(options, Record.Id);

    [SetUp]
    public async Task SetUp()
    {
        if (LinuxGuest.Kernel is not { } kernel)
        {
            Assert.Ignore("there is no kernel for a guest here, and none can be fetched");
            return;
        }

        directory = new TempDirectory();
        File.SetUnixFileMode(directory.Path, File.GetUnixFileMode(directory.Path) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        options = new NodeOptions { DataDir = directory.Subdirectory("data"), RunDir = directory.Subdirectory("run") };
        Directory.CreateDirectory(directory.Combine("layer", "boot"));
        File.Copy(kernel, directory.Combine("layer", "boot", "vmlinuz"));
        LinuxGuest.WriteInitrd(directory.Combine("layer", "boot", "initrd"), Counting);
        File.WriteAllText(
            directory.Combine("run", "acceleration.json"), $$$"""{"bootId":"{{{SystemFacts.BootId}}}","result":{"cpuModel":null,"reason":"KvmUnproven","message":"not asked"}}""");
        NetworkNamespaces.Create(Host);
        agent = await NewAgentAsync();
    }

    [TearDown]
    public async Task TearDown()
    {
        if (agent is null)
        {
            return;
        }

        await agent.DisposeAsync();
        foreach (var record in agent.Records.All)
        {
            await VmProcess.RemoveLeftoversAsync(agent.Tools.CgroupOf(record), agent.Cgroups, TimeProvider.System, default);
            ConsoleSpool.Remove(VmPaths.Of(options, record.Id));
        }

        agent.Cgroups.Remove($"{agent.Tools.CgroupParent}/machines");
        agent.Cgroups.Remove(agent.Tools.CgroupParent);
        NetworkNamespaces.Delete(Host);
        directory.Dispose();
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
        await agent.UntilAsync("router", IsReady);
        await UntilAsync(() => LastNumber() >= counted + 3);
        Assert.That(Said().Split(LinuxGuest.Marker), Has.Length.EqualTo(2), "it did not start again");
        Assert.That(Numbers(), Is.EqualTo(Enumerable.Range(1, LastNumber())), "nothing is missing and nothing there twice");
        Assert.That((Record.Saved, File.Exists(Paths.SavedMemory), Record.Restarts), Is.EqualTo((default(object), false, 0)), "it is used once");
    }

    [Test]
    public async Task A_guest_that_goes_on_has_the_right_time()
    {
        LinuxGuest.WriteInitrd(directory.Combine("layer", "boot", "initrd"), ShellAgent.Lines(obeys: true) + Counting);
        await StartAsync(Machine());
        await UntilAsync(() => Said().Contains("AGENT UP.", StringComparison.Ordinal));
        await GoDownAsync();
        await Task.Delay(TimeSpan.FromSeconds(4));
        await ComeBackAsync();
        await UntilAsync(() => Said().Contains("CLOCK SET.", StringComparison.Ordinal));
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var (before, after) = ShellAgent.ClockIn(Said());
        Assert.That(after - before, Is.InRange(3, 60), "it was behind");
        Assert.That(after, Is.InRange(now - 5, now + 1), "and is not any more");
    }

    [Test]
    public async Task A_memory_that_no_longer_fits_is_not_used()
    {
        await StartAsync(Machine());
        await GoDownAsync();
        await ComeBackAsync(Machine(generation: 2) with { Spec = Machine().Spec with { Cpu = new VirtualCpuSpec { Cores = 2 } } });
        await agent.UntilAsync("router", IsReady);
        await UntilAsync(() => Said().Split(LinuxGuest.Marker).Length == 3);
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
        await agent.UntilAsync("router", IsReady);
        await UntilAsync(() => Said().Split(LinuxGuest.Marker).Length == 3);
        Assert.That(Record.LastExit!.Message, Does.Contain("damaged"));
    }

    [Test]
    public async Task A_QEMU_that_outlived_the_agent_which_saved_it_never_runs_its_guest_again()
    {
        await StartAsync(Machine());
        await GoDownAsync();
        var saved = Record;
        await ComeBackAsync();
        await agent.UntilAsync("router", IsReady);
        var run = Record.Run!;
        // As if the agent had been killed between the record and the end of its QEMU.
        agent.Records.Put(Record with { Saved = saved.Saved });
        await agent.DisposeAsync();
        agent = await NewAgentAsync();
        await agent.UntilAsync("router", now => IsReady(now) && now.StartedAt > run.StartedAt);
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
        await agent.UntilAsync("router", IsReady);
        await UntilAsync(() => Said().Split(LinuxGuest.Marker).Length == 3);
    }

    [Test]
    public async Task Where_there_is_no_room_the_guest_is_asked_to_end()
    {
        var machine = Machine() with { Spec = Machine().Spec with { TerminationGracePeriodSeconds = 1 } };
        await agent.DisposeAsync();
        agent = await NewAgentAsync(minFree: long.MaxValue / 2);
        await StartAsync(machine);
        await GoDownAsync();
        Assert.That((Record.Saved, Record.LastExit!.Reason), Is.EqualTo((default(object), VmExits.Stopped)));
        Assert.That(Directory.GetFiles(Paths.DataDirectory).Select(Path.GetFileName), Has.None.StartsWith("memory"));
    }

    [Test]
    public async Task The_end_of_the_agent_alone_touches_nothing()
    {
        await StartAsync(Machine());
        await new NodeShutdown(agent.Reconciler, () => Task.FromResult(false), NullLogger<NodeShutdown>.Instance).RunAsync();
        Assert.That(Record.Run, Is.Not.Null);
        Assert.That((await agent.UntilAsync("router", IsReady)).State, Is.EqualTo(VirtualMachineState.Running));
    }

    private static bool IsReady(VirtualMachineInstanceStatus status) =>
        status.State == VirtualMachineState.Running && status.Conditions.Is(ConditionTypes.Ready, ConditionStatus.True, ReadyReasons.Ready);

    private static DesiredVirtualMachine Machine(VirtualMachineModel model = VirtualMachineModel.Q35, long generation = 1) => new()
    {
        Name = "router",
        Uid = "01234567-router",
        Generation = generation,
        Spec = new VirtualMachineSpec
        {
            OnNodeShutdown = VirtualMachineShutdown.Suspend,
            Machine = model,
            Acceleration = VirtualMachineAcceleration.Preferred,
            Memory = new VirtualMemorySpec { Size = Guests.QuantityOf("256Mi") },
            Boot = new VirtualMachineBoot { Kernel = new DirectKernelSpec { Image = "registry.example/vm:1", Kernel = "/boot/vmlinuz", Initrd = "boot/initrd", CommandLine = "console=ttyS0 quiet" } },
            Interfaces = [],
        },
    };

    private async Task<MachineAgent> NewAgentAsync(long minFree = 0)
    {
        var made = new MachineAgent(options, new OneImage(directory.Combine("layer")), Host, minFree: minFree);
        await made.Reconciler.ReclaimAsync(default);
        await made.Network.RecoverAsync([], default);
        return made;
    }

    private async Task StartAsync(DesiredVirtualMachine machine)
    {
        await agent.DesireAsync(1, machine);
        await agent.UntilAsync("router", IsReady);
        await UntilAsync(() => LastNumber() >= 3);
    }

    private async Task GoDownAsync()
    {
        await new NodeShutdown(agent.Reconciler, () => Task.FromResult(true), NullLogger<NodeShutdown>.Instance).RunAsync();
        Assert.That(Record.Run, Is.Null);
    }

    private async Task ComeBackAsync(DesiredVirtualMachine? changed = null)
    {
        await agent.DisposeAsync();
        agent = await NewAgentAsync();
        if (changed is not null)
        {
            await agent.DesireAsync(2, changed);
        }
    }

    private string Said() => File.Exists(Paths.ConsoleLog) ? File.ReadAllText(Paths.ConsoleLog) : "";

    private List<int> Numbers() => [.. Counted().Matches(Said()).Select(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture))];

    private int LastNumber() => Numbers().LastOrDefault();

    private async Task UntilAsync(Func<bool> holds)
    {
        for (var i = 0; i < 1500; i++)
        {
            if (holds())
            {
                return;
            }

            await agent.Reconciler.ReconcileAsync(agent.Token);
            await Task.Delay(40);
        }

        throw new TimeoutException($"the guest said: {Said()}");
    }

    [GeneratedRegex(@"N (\d+)\.")]
    private static partial Regex Counted();

    private sealed class OneImage(string layer) : IContainerImages
    {
        public Task<StoredImage> EnsureAsync(ImageReference reference, ImagePullPolicy policy, CancellationToken ct) =>
            Task.FromResult(new StoredImage("sha256:" + new string('0', 64), new ImageConfig(), [layer]));

        public Task CollectGarbageAsync(IReadOnlySet<string> manifestDigestsInUse, CancellationToken ct) => Task.CompletedTask;
    }
}
