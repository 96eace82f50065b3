using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Networks.Names;
using EdgeVirt.Node.Tests.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines;

/// <summary>Machines from the desired document to a Linux guest that runs, and back.</summary>
[Category("root")]
public sealed class RealMachinesTests
{
    private TempDirectory directory = null!;
    private NodeOptions options = null!;
    private MachineAgent agent = null!;
    private OneImage images = null!;

    private string Host => directory.Combine("host.netns");

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
        Script("bb sleep 1000");
        images = new OneImage(directory.Combine("layer"));
        // What KVM is here was found out elsewhere; these guests are emulated whatever it is.
        File.WriteAllText(
            directory.Combine("run", "acceleration.json"), $$$"""{"bootId":"{{{SystemFacts.BootId}}}","result":{"cpuModel":null,"reason":"KvmUnproven","message":"not asked"}}""");
        NetworkNamespaces.Create(Host);
        agent = new MachineAgent(options, images, Host);
        await agent.Network.RecoverAsync([], default);
    }

    [TearDown]
    public async Task TearDown()
    {
        if (agent is null)
        {
            return;
        }

        // First, so that nothing is started again.
        await agent.DisposeAsync();
        foreach (var record in agent.Records.All)
        {
            await VmProcess.RemoveLeftoversAsync(agent.Tools.CgroupOf(record), agent.Cgroups, TimeProvider.System, default);
        }

        agent.Cgroups.Remove($"{agent.Tools.CgroupParent}/machines");
        agent.Cgroups.Remove(agent.Tools.CgroupParent);
        NetworkNamespaces.Delete(Host);
        directory.Dispose();
    }

    [Test]
    public async Task Boots_is_paused_and_goes_on_and_is_switched_off()
    {
        await agent.DesireAsync(1, Machine());
        var status = await agent.UntilAsync("router", IsReady);
        Assert.That((status.State, status.Node, status.ObservedGeneration, status.RestartCount), Is.EqualTo((VirtualMachineState.Running, "n1", 1L, 0)));
        Assert.That(status.Conditions.Is(ConditionTypes.Accelerated, ConditionStatus.False, AcceleratedReasons.KvmUnproven));
        await UntilSaidAsync(LinuxGuest.Marker);

        await agent.DesireAsync(2, Machine(power: VirtualMachinePower.Paused, generation: 2));
        await agent.UntilAsync("router", now => now.State == VirtualMachineState.Paused && now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.True, ReadyReasons.Paused));
        await agent.DesireAsync(3, Machine(generation: 3));
        await agent.UntilAsync("router", now => now.State == VirtualMachineState.Running && IsReady(now));

        // This guest does not listen to its power button: it is cut off after its grace.
        await agent.DesireAsync(4, Machine(power: VirtualMachinePower.Stopped, generation: 4, grace: 1));
        await agent.UntilAsync("router", now => now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.Stopping));
        status = await agent.UntilAsync("router", now => now.State == VirtualMachineState.Stopped);
        Assert.That(status.Conditions.Is(ConditionTypes.Ready, ConditionStatus.True, ReadyReasons.Stopped));
        Assert.That((status.LastExit!.Code, status.LastExit.Reason), Is.EqualTo((0, VmExits.Stopped)));

        await agent.DesireAsync(5, Machine(generation: 5));
        status = await agent.UntilAsync("router", IsReady);
        Assert.That(status.RestartCount, Is.EqualTo(1));
    }

    [Test]
    public async Task Is_adopted_by_the_next_agent_without_being_touched()
    {
        await agent.DesireAsync(1, Machine());
        var before = await agent.UntilAsync("router", IsReady);
        var run = agent.Records.All.Single().Run!;
        await RestartAsync();
        Assert.That(Processes.IsAlive(new ProcessIdentity(run.Pid, run.StartTime)), "goes on without an agent");
        await agent.Reconciler.ReconcileAsync(default);
        await agent.Reconciler.SettledAsync();
        var after = await agent.UntilAsync("router", IsReady);
        Assert.That(agent.Records.All.Single().Run, Is.EqualTo(run));
        Assert.That((after.StartedAt, after.RestartCount), Is.EqualTo((before.StartedAt, 0)));
    }

    [Test]
    public async Task What_ended_while_no_agent_was_there_is_started_again()
    {
        await agent.DesireAsync(1, Machine());
        await agent.UntilAsync("router", IsReady);
        var run = agent.Records.All.Single().Run!;
        await RestartAsync(() => Command.Run("kill", "-KILL", $"{run.Pid}"));
        var after = await agent.UntilAsync("router", now => IsReady(now) && now.RestartCount == 1);
        Assert.That(after.LastExit!.Reason, Is.EqualTo("Lost"));
    }

    [Test]
    public async Task A_QEMU_that_dies_is_reported_and_restarted()
    {
        await agent.DesireAsync(1, Machine());
        await agent.UntilAsync("router", IsReady);
        Command.Run("kill", "-KILL", $"{agent.Records.All.Single().Run!.Pid}");
        var after = await agent.UntilAsync("router", now => IsReady(now) && now.RestartCount == 1);
        Assert.That((after.LastExit!.Code, after.LastExit.Reason), Is.EqualTo((137, "Error")));
    }

    [Test]
    public async Task A_QEMU_that_hangs_is_killed_and_restarted()
    {
        await agent.DesireAsync(1, Machine());
        await agent.UntilAsync("router", IsReady);
        Command.Run("kill", "-STOP", $"{agent.Records.All.Single().Run!.Pid}");
        var began = TimeProvider.System.GetTimestamp();
        var after = await agent.UntilAsync("router", now => IsReady(now) && now.RestartCount == 1);
        Assert.That(after.LastExit!.Reason, Is.EqualTo(VmExits.Hung));
        Assert.That(TimeProvider.System.GetElapsedTime(began), Is.LessThan(TimeSpan.FromSeconds(25)));
    }

    [TestCase("bb poweroff -f", RestartPolicy.Never, "Completed", ReadyReasons.Completed)]
    [TestCase("bb poweroff -f", RestartPolicy.OnFailure, "Completed", ReadyReasons.Completed)]
    [TestCase("echo c >/proc/sysrq-trigger", RestartPolicy.Never, "GuestPanicked", ReadyReasons.Failed)]
    public async Task A_guest_that_ends_stays_so_by_its_policy(string script, RestartPolicy policy, string exit, string reason)
    {
        Script(script + "\nbb sleep 1000");
        await agent.DesireAsync(1, Machine(policy: policy, commandLine: "console=ttyS0 quiet panic=30"));
        var status = await agent.UntilAsync("router", now => now.State == VirtualMachineState.Stopped);
        Assert.That(status.LastExit!.Reason, Is.EqualTo(exit));
        Assert.That(status.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, reason));
    }

    [Test]
    public async Task Deleting_it_removes_all_of_it()
    {
        await agent.DesireAsync(1, Machine(grace: 0, disks: [new VirtualDiskSpec { Name = "data", Empty = new EmptyDiskSource(), Size = Guests.QuantityOf("8Mi") }]));
        await agent.UntilAsync("router", IsReady);
        var record = agent.Records.All.Single();
        var paths = VmPaths.Of(options, record.Id);
        Assert.That(File.Exists(paths.Disk("data")));
        await agent.DesireAsync(2);
        await agent.UntilGoneAsync("router");
        Assert.That(Directory.Exists(paths.DataDirectory) || Directory.Exists(paths.RunDirectory) || File.Exists(paths.Seed), Is.False);
        Assert.That(Processes.Identify(record.Run?.Pid ?? 0), Is.Null);
        Assert.That(agent.Cgroups.Processes(agent.Tools.CgroupOf(record)), Is.Empty);
    }

    [Test]
    public async Task A_guest_finds_its_disks_and_what_cloud_init_is_told()
    {
        Directory.CreateDirectory(directory.Combine("layer", "disk"));
        Command.Run("qemu-img", "create", "-q", "-f", "qcow2", directory.Combine("layer", "disk", "disk.qcow2"), "16M");
        Script("for d in /sys/block/vd*; do echo DISK $(bb cat $d/serial) $(bb cat $d/size) $(bb cat $d/ro); done\nbb dd if=/dev/vdc bs=2048 skip=16 count=1 2>/dev/null | bb strings | bb grep -o cidata\necho DONE\nbb sleep 1000");
        await agent.DesireAsync(1, Machine(
            disks:
            [
                new VirtualDiskSpec { Name = "root", Image = new DiskImageSource { Reference = "registry.example/vm:1" }, Size = Guests.QuantityOf("32Mi") },
                new VirtualDiskSpec { Name = "data", Empty = new EmptyDiskSource(), Size = Guests.QuantityOf("8Mi") },
            ],
            cloudInit: new CloudInitSpec { UserData = "#cloud-config\n" }));
        await agent.UntilAsync("router", IsReady);
        var said = await UntilSaidAsync("DONE");
        Assert.That(said, Does.Contain("DISK root 65536 0").And.Contain("DISK data 16384 0").And.Match("DISK cidata [0-9]+ 1"));
    }

    [Test]
    public async Task A_guest_gets_its_address_answers_at_its_node_port_and_by_its_name()
    {
        Script(
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
        var names = new NameServer(options, agent.Network, agent.Cgroups, new NameServerGroup(agent.Tools.CgroupParent), TimeProvider.System);
        var serving = new NamesReconciler(agent.Store, agent.Network, names, new NodeConditions(TimeProvider.System), TimeProvider.System, agent.Leases);
        try
        {
            await agent.DesireAsync(1, Machine(interfaces:
            [
                new VirtualInterfaceSpec { Name = "lan", Ports = [new ContainerPort { Port = 80, HostPort = 8080 }] },
            ]));
            var status = await agent.UntilAsync("router", IsReady);
            await serving.ReconcileAsync(default);
            Assert.That(await UntilSaidAsync("DONE"), Does.Contain($"inet {status.Address}/16"));

            Assert.That(await AskAsync(status.Address!, 80), Is.EqualTo("hello from the guest\n"));
            Assert.That(await AskAsync(agent.Network.Gateway, 8080), Is.EqualTo("hello from the guest\n"), "by its node port");
            Assert.That(File.ReadAllText(Path.Combine(options.RunDir, "names", "hosts", "workloads")), Is.EqualTo($"{status.Address} router.{NameZone.Domain}\n"));

            await RestartAsync();
            await agent.UntilAsync("router", IsReady);
            Assert.That(await AskAsync(agent.Network.Gateway, 8080), Is.EqualTo("hello from the guest\n"), "after the agent came back");
        }
        finally
        {
            await names.RemoveAsync(default);
        }
    }

    [Test]
    public async Task What_cannot_be_is_refused_with_the_reason_before_anything_starts()
    {
        await agent.DesireAsync(
            1,
            Machine("required") with { Spec = Machine().Spec with { Acceleration = VirtualMachineAcceleration.Required } },
            Machine("greedy") with { Spec = Machine().Spec with { Memory = new VirtualMemorySpec { Size = Guests.QuantityOf("64Ti") } } },
            Machine("crowded") with { Spec = Machine().Spec with { Cpu = new VirtualCpuSpec { Cores = 255 } } },
            Machine("lost") with { Spec = Machine().Spec with { Boot = new VirtualMachineBoot { Kernel = new DirectKernelSpec { Image = "registry.example/vm:1", Kernel = "/boot/none" } } } });
        await agent.UntilAsync("required", now => now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.AccelerationMissing));
        await agent.UntilAsync("greedy", now => now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.ResourcesMissing));
        await agent.UntilAsync("crowded", now => now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.ResourcesMissing));
        await agent.UntilAsync("lost", now => now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.DiskRefused));
        Assert.That(agent.Records.All.Select(record => record.Run), Has.All.Null);
        Assert.That(agent.Records.All.Select(record => record.User), Is.Unique);
    }

    private static bool IsReady(VirtualMachineInstanceStatus status) =>
        status.State == VirtualMachineState.Running && status.Conditions.Is(ConditionTypes.Ready, ConditionStatus.True, ReadyReasons.Ready);

    private void Script(string script) => LinuxGuest.WriteInitrd(directory.Combine("layer", "boot", "initrd"), script);

    private static DesiredVirtualMachine Machine(
        string name = "router",
        VirtualMachinePower? power = null,
        long generation = 1,
        int grace = 2,
        RestartPolicy policy = RestartPolicy.Always,
        string commandLine = "console=ttyS0 quiet",
        IReadOnlyList<VirtualDiskSpec>? disks = null,
        CloudInitSpec? cloudInit = null,
        IReadOnlyList<VirtualInterfaceSpec>? interfaces = null) => new()
        {
            Name = name,
            Uid = $"01234567-{name}",
            Generation = generation,
            Spec = new VirtualMachineSpec
            {
                Power = power,
                RestartPolicy = policy,
                TerminationGracePeriodSeconds = grace,
                Acceleration = VirtualMachineAcceleration.Preferred,
                Memory = new VirtualMemorySpec { Size = Guests.QuantityOf("256Mi") },
                Boot = new VirtualMachineBoot { Kernel = new DirectKernelSpec { Image = "registry.example/vm:1", Kernel = "/boot/vmlinuz", Initrd = "boot/initrd", CommandLine = commandLine } },
                Disks = disks,
                Interfaces = interfaces ?? [],
                CloudInit = cloudInit,
            },
        };

    private async Task<string> AskAsync(string address, int port)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            using var socket = agent.Network.NewSocket();
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

    private async Task RestartAsync(Action? between = null)
    {
        await agent.DisposeAsync();
        between?.Invoke();
        agent = new MachineAgent(options, images, Host);
        await agent.Reconciler.ReclaimAsync(default);
        await agent.Network.RecoverAsync([], default);
    }

    private async Task<string> UntilSaidAsync(string text)
    {
        var log = VmPaths.Of(options, agent.Records.All.Single().Id).ConsoleLog;
        for (var i = 0; i < 1500; i++)
        {
            await agent.Reconciler.ReconcileAsync(agent.Token);
            if (File.Exists(log) && File.ReadAllText(log) is var said && said.Contains(text, StringComparison.Ordinal))
            {
                return said;
            }

            await Task.Delay(40);
        }

        throw new TimeoutException($"the guest never says {text}: {(File.Exists(log) ? File.ReadAllText(log) : "nothing")}");
    }

    private sealed class OneImage(string layer) : IContainerImages
    {
        public Task<StoredImage> EnsureAsync(ImageReference reference, ImagePullPolicy policy, CancellationToken ct) =>
            Task.FromResult(new StoredImage("sha256:" + new string('0', 64), new ImageConfig(), [layer]));

        public Task CollectGarbageAsync(IReadOnlySet<string> manifestDigestsInUse, CancellationToken ct) => Task.CompletedTask;
    }
}
