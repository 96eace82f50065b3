using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Networks.Names;
using EdgeVirt.Node.Tests.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines;

/// <summary>Machines from the desired document to a Linux guest that runs, and back.</summary>
[Category("root")]
public sealed class RealMachinesTests
{
    private const string Idle = "bb sleep 1000";

    private GuestBoard board = null!;

    private MachineAgent Agent => board.Agent;

    [SetUp]
    public async Task SetUp() => board = await GuestBoard.StartLinuxAsync(Idle);

    [TearDown]
    public async Task TearDown() => await (board?.DisposeAsync() ?? ValueTask.CompletedTask);

    [Test]
    public async Task Boots_is_paused_and_goes_on_and_is_switched_off()
    {
        await board.DesireAsync(Machine());
        var status = await Agent.UntilAsync("router", GuestBoard.IsReady);
        Assert.That((status.State, status.Node, status.ObservedGeneration, status.RestartCount), Is.EqualTo((VirtualMachineState.Running, "n1", 1L, 0)));
        Assert.That(status.Conditions.Is(ConditionTypes.Accelerated, ConditionStatus.False, AcceleratedReasons.KvmUnproven));
        await board.UntilSaidAsync(LinuxGuest.Marker);

        await board.DesireAsync(Machine(power: VirtualMachinePower.Paused, generation: 2));
        await Agent.UntilAsync("router", now => now.State == VirtualMachineState.Paused && now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.True, ReadyReasons.Paused));
        await board.DesireAsync(Machine(generation: 3));
        await Agent.UntilAsync("router", now => now.State == VirtualMachineState.Running && GuestBoard.IsReady(now));

        // This guest does not listen to its power button: it is cut off after its grace.
        await board.DesireAsync(Machine(power: VirtualMachinePower.Stopped, generation: 4, grace: 1));
        await Agent.UntilAsync("router", now => now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.Stopping));
        status = await Agent.UntilAsync("router", now => now.State == VirtualMachineState.Stopped);
        Assert.That(status.Conditions.Is(ConditionTypes.Ready, ConditionStatus.True, ReadyReasons.Stopped));
        Assert.That((status.LastExit!.Code, status.LastExit.Reason), Is.EqualTo((0, VmExits.Stopped)));

        await board.DesireAsync(Machine(generation: 5));
        status = await Agent.UntilAsync("router", GuestBoard.IsReady);
        Assert.That(status.RestartCount, Is.EqualTo(1));
    }

    [Test]
    public async Task Is_adopted_by_the_next_agent_without_being_touched()
    {
        await board.DesireAsync(Machine());
        var before = await Agent.UntilAsync("router", GuestBoard.IsReady);
        var run = board.Record.Run!;
        await board.RestartAsync(() =>
        {
            Assert.That(Processes.IsAlive(new ProcessIdentity(run.Pid, run.StartTime)), "goes on without an agent");
            return Task.CompletedTask;
        });
        var after = await Agent.UntilAsync("router", GuestBoard.IsReady);
        Assert.That(board.Record.Run, Is.EqualTo(run));
        Assert.That((after.StartedAt, after.RestartCount), Is.EqualTo((before.StartedAt, 0)));
    }

    [Test]
    public async Task What_ended_while_no_agent_was_there_is_started_again()
    {
        await board.DesireAsync(Machine());
        await Agent.UntilAsync("router", GuestBoard.IsReady);
        var run = board.Record.Run!;
        await board.RestartAsync(() => Task.FromResult(Command.Run("kill", "-KILL", $"{run.Pid}")));
        var after = await Agent.UntilAsync("router", now => GuestBoard.IsReady(now) && now.RestartCount == 1);
        Assert.That(after.LastExit!.Reason, Is.EqualTo("Lost"));
    }

    [Test]
    public async Task A_QEMU_that_dies_is_reported_and_restarted()
    {
        await board.DesireAsync(Machine());
        await Agent.UntilAsync("router", GuestBoard.IsReady);
        Command.Run("kill", "-KILL", $"{board.Record.Run!.Pid}");
        var after = await Agent.UntilAsync("router", now => GuestBoard.IsReady(now) && now.RestartCount == 1);
        Assert.That((after.LastExit!.Code, after.LastExit.Reason), Is.EqualTo((137, "Error")));
    }

    [Test]
    public async Task A_QEMU_that_hangs_is_killed_and_restarted()
    {
        await board.DesireAsync(Machine());
        await Agent.UntilAsync("router", GuestBoard.IsReady);
        Command.Run("kill", "-STOP", $"{board.Record.Run!.Pid}");
        var began = TimeProvider.System.GetTimestamp();
        var after = await Agent.UntilAsync("router", now => GuestBoard.IsReady(now) && now.RestartCount == 1);
        Assert.That(after.LastExit!.Reason, Is.EqualTo(VmExits.Hung));
        Assert.That(TimeProvider.System.GetElapsedTime(began), Is.LessThan(TimeSpan.FromSeconds(25)));
    }

    [TestCase("bb poweroff -f", RestartPolicy.Never, "Completed", ReadyReasons.Completed)]
    [TestCase("bb poweroff -f", RestartPolicy.OnFailure, "Completed", ReadyReasons.Completed)]
    [TestCase("echo c >/proc/sysrq-trigger", RestartPolicy.Never, "GuestPanicked", ReadyReasons.Failed)]
    public async Task A_guest_that_ends_stays_so_by_its_policy(string script, RestartPolicy policy, string exit, string reason)
    {
        board.Script(script + "\nbb sleep 1000");
        await board.DesireAsync(Machine(policy: policy, commandLine: "console=ttyS0 quiet panic=30"));
        var status = await Agent.UntilAsync("router", now => now.State == VirtualMachineState.Stopped);
        Assert.That(status.LastExit!.Reason, Is.EqualTo(exit));
        Assert.That(status.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, reason));
    }

    [Test]
    public async Task Deleting_it_removes_all_of_it()
    {
        await board.DesireAsync(Machine(grace: 0, disks: [new VirtualDiskSpec { Name = "data", Empty = new EmptyDiskSource(), Size = Guests.QuantityOf("8Mi") }]));
        await Agent.UntilAsync("router", GuestBoard.IsReady);
        var record = board.Record;
        var paths = board.Paths;
        Assert.That(File.Exists(paths.Disk("data")));
        await board.DesireAsync();
        await Agent.UntilGoneAsync("router");
        Assert.That(Directory.Exists(paths.DataDirectory) || Directory.Exists(paths.RunDirectory) || File.Exists(paths.Seed), Is.False);
        Assert.That(Processes.Identify(record.Run?.Pid ?? 0), Is.Null);
        Assert.That(Agent.Cgroups.Processes(Agent.Tools.CgroupOf(record)), Is.Empty);
    }

    [Test]
    public async Task A_guest_finds_its_disks_and_what_cloud_init_is_told()
    {
        board.AddDisk("16M");
        board.Script("for d in /sys/block/vd*; do echo DISK $(bb cat $d/serial) $(bb cat $d/size) $(bb cat $d/ro); done\nbb dd if=/dev/vdc bs=2048 skip=16 count=1 2>/dev/null | bb strings | bb grep -o cidata\necho DONE\nbb sleep 1000");
        await board.DesireAsync(Machine(
            disks:
            [
                new VirtualDiskSpec { Name = "root", Image = new DiskImageSource { Reference = "registry.example/vm:1" }, Size = Guests.QuantityOf("32Mi") },
                new VirtualDiskSpec { Name = "data", Empty = new EmptyDiskSource(), Size = Guests.QuantityOf("8Mi") },
            ],
            cloudInit: new CloudInitSpec { UserData = "#cloud-config\n" }));
        await Agent.UntilAsync("router", GuestBoard.IsReady);
        var said = await board.UntilSaidAsync("DONE");
        Assert.That(said, Does.Contain("DISK root 65536 0").And.Contain("DISK data 16384 0").And.Match("DISK cidata [0-9]+ 1"));
    }

    [Test]
    public async Task A_guest_gets_its_address_answers_at_its_node_port_and_by_its_name()
    {
        board.Script(
            """
            echo '#!/bin/busybox sh' >/tmp/dhcp
            echo '[ "$1" != bound ] || /bin/busybox ip address add $ip/$mask dev $interface' >>/tmp/dhcp
            bb chmod +x /tmp/dhcp
            bb ip link set eth0 up
            bb udhcpc -i eth0 -n -q -t 20 -T 1 -s /tmp/dhcp
            bb ip -4 address show eth0
            echo DONE
            bb nc -ll -p 80 -e /bin/busybox echo hello from the guest
            bb sleep 1000
            """);
        await board.DesireAsync(Machine(interfaces:
        [
            new VirtualInterfaceSpec { Name = "lan", Ports = [new ContainerPort { Port = 80, HostPort = 8080 }] },
        ]));
        var status = await Agent.UntilAsync("router", GuestBoard.IsReady);
        await board.ServeAsync();
        Assert.That(await board.UntilSaidAsync("DONE"), Does.Contain($"inet {status.Address}/16"));

        Assert.That(await AskAsync(status.Address!, 80), Is.EqualTo("hello from the guest\n"));
        Assert.That(await AskAsync(Agent.Network.Gateway, 8080), Is.EqualTo("hello from the guest\n"), "by its node port");
        Assert.That(File.ReadAllText(Path.Combine(board.Options.RunDir, "names", "hosts", "workloads")), Is.EqualTo($"{status.Address} router.{NameZone.Domain}\n"));

        await board.RestartAsync();
        await Agent.UntilAsync("router", GuestBoard.IsReady);
        Assert.That(await AskAsync(Agent.Network.Gateway, 8080), Is.EqualTo("hello from the guest\n"), "after the agent came back");
    }

    [Test]
    public async Task What_cannot_be_is_refused_with_the_reason_before_anything_starts()
    {
        await board.DesireAsync(
            Machine("required") with { Spec = Machine().Spec with { Acceleration = VirtualMachineAcceleration.Required } },
            Machine("greedy") with { Spec = Machine().Spec with { Memory = new VirtualMemorySpec { Size = Guests.QuantityOf("64Ti") } } },
            Machine("crowded") with { Spec = Machine().Spec with { Cpu = new VirtualCpuSpec { Cores = 255 } } },
            Machine("lost") with { Spec = Machine().Spec with { Boot = GuestBoard.Boot(kernel: "/boot/none") } });
        await Agent.UntilAsync("required", now => now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.AccelerationMissing));
        await Agent.UntilAsync("greedy", now => now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.ResourcesMissing));
        await Agent.UntilAsync("crowded", now => now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.ResourcesMissing));
        await Agent.UntilAsync("lost", now => now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.DiskRefused));
        Assert.That(Agent.Records.All.Select(record => record.Run), Has.All.Null);
        Assert.That(Agent.Records.All.Select(record => record.User), Is.Unique);
    }

    private static DesiredVirtualMachine Machine(
        string name = "router",
        VirtualMachinePower? power = null,
        long generation = 1,
        int grace = 2,
        RestartPolicy policy = RestartPolicy.Always,
        string commandLine = "console=ttyS0 quiet",
        IReadOnlyList<VirtualDiskSpec>? disks = null,
        CloudInitSpec? cloudInit = null,
        IReadOnlyList<VirtualInterfaceSpec>? interfaces = null) => GuestBoard.Machine(
            name,
            spec => spec with
            {
                Power = power,
                RestartPolicy = policy,
                TerminationGracePeriodSeconds = grace,
                Boot = GuestBoard.Boot(commandLine: commandLine),
                Disks = disks,
                Interfaces = interfaces ?? [],
                CloudInit = cloudInit,
            },
            generation);

    private async Task<string> AskAsync(string address, int port)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            using var socket = Agent.Network.NewSocket();
            try
            {
                await socket.ConnectAsync(System.Net.IPAddress.Parse(address), port, limit.Token);
            }
            catch (System.Net.Sockets.SocketException)
            {
                // The guest has its address a moment before its program listens.
                await Task.Delay(50, limit.Token);
                continue;
            }

            using var reader = new StreamReader(new System.Net.Sockets.NetworkStream(socket));
            return await reader.ReadToEndAsync(limit.Token);
        }
    }
}
