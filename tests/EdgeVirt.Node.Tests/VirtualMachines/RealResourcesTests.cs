using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Tests.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines;

/// <summary>Processors and memory of machines, from the desired document to threads and pages of real QEMUs.</summary>
[Category("root")]
public sealed class RealResourcesTests
{
    private const string Pool = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
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
        LinuxGuest.WriteInitrd(
            directory.Combine("layer", "boot", "initrd"), "for c in /sys/devices/system/cpu/cpu[0-9]*/topology; do echo CPU $(bb cat $c/physical_package_id) $(bb cat $c/core_id); done\necho DONE\nbb sleep 1000");
        images = new OneImage(directory.Combine("layer"));
        File.WriteAllText(
            directory.Combine("run", "acceleration.json"), $$$"""{"bootId":"{{{SystemFacts.BootId}}}","result":{"cpuModel":null,"reason":"KvmUnproven","message":"not asked"}}""");
        NetworkNamespaces.Create(Host);
        await BeginAsync();
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
        }

        agent.Cgroups.Remove($"{agent.Tools.CgroupParent}/machines");
        agent.Cgroups.Remove(agent.Tools.CgroupParent);
        NetworkNamespaces.Delete(Host);
        directory.Dispose();
        agent = null!;
    }

    [Test]
    public async Task A_guest_finds_the_topology_that_was_asked_for()
    {
        NeedsProcessors(2);
        await agent.DesireAsync(1, Machine("router", new VirtualCpuSpec { Sockets = 2 }));
        await agent.UntilAsync("router", IsReady);
        Assert.That((await UntilSaidAsync("DONE")).Split('\n').Select(line => line.Trim()).Where(line => line.StartsWith("CPU", StringComparison.Ordinal)), Is.EqualTo((string[])["CPU 0 0", "CPU 1 0"]));
    }

    [Test]
    public async Task Dedicated_processors_are_one_machines_alone_over_a_restart_of_the_agent_and_free_after_it()
    {
        NeedsProcessors(2);
        var all = CpuTopology.Read().Select(cpu => cpu.Number).ToList();
        await agent.DesireAsync(1, Machine("shared", new VirtualCpuSpec()));
        var shared = await agent.UntilAsync("shared", IsReady);
        Assert.That(shared.Cpus, Is.Null, "any");
        Assert.That(ThreadsOf("shared").Select(thread => thread.Cpus), Has.All.EqualTo(CpuList.Format(all)));

        await agent.DesireAsync(2, Machine("shared", new VirtualCpuSpec()), Machine("pinned", new VirtualCpuSpec { DedicatedCpuPlacement = true }));
        var pinned = await agent.UntilAsync("pinned", IsReady);
        var own = int.Parse(pinned.Cpus!, null);
        var rest = CpuList.Format(all.Where(cpu => cpu != own));
        await agent.UntilAsync("shared", status => status.Cpus == rest);
        ExpectPinned(own, rest);
        await EventuallyAsync(() => ThreadsOf("shared").All(thread => thread.Cpus == rest), "the other machine moves away");

        await agent.DesireAsync(3, Machine("shared", new VirtualCpuSpec()), Machine("pinned", new VirtualCpuSpec { DedicatedCpuPlacement = true }), Machine("late", new VirtualCpuSpec { Cores = all.Count - 1, DedicatedCpuPlacement = true }));
        var refused = await agent.UntilAsync("late", status => status.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.ResourcesMissing));
        Assert.That(refused.Conditions[0].Message, Does.Contain("1 are other machines' alone"));

        var run = agent.Records.All.Single(record => record.Name == "pinned").Run;
        await agent.DisposeAsync();
        await BeginAsync();
        await agent.Reconciler.ReconcileAsync(default);
        await agent.Reconciler.SettledAsync();
        pinned = await agent.UntilAsync("pinned", IsReady);
        Assert.That((agent.Records.All.Single(record => record.Name == "pinned").Run, pinned.Cpus), Is.EqualTo((run, $"{own}")));
        ExpectPinned(own, rest);
        Assert.That(ThreadsOf("shared").Select(thread => thread.Cpus), Has.All.EqualTo(rest));
        await agent.UntilAsync("late", status => status.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.ResourcesMissing));

        await agent.DesireAsync(4, Machine("shared", new VirtualCpuSpec()));
        await agent.UntilGoneAsync("pinned");
        await EventuallyAsync(() => ThreadsOf("shared").All(thread => thread.Cpus == CpuList.Format(all)), "the other machine comes back");
    }

    [Test]
    public async Task A_machine_has_huge_pages_or_is_refused_before_it_starts()
    {
        if (!File.Exists(Pool) || !SetPool(160))
        {
            Assert.Ignore("no huge pages of 2 MiB can be set aside here");
        }

        try
        {
            var machine = Machine("router", null, new VirtualMemorySpec { Size = Guests.QuantityOf("256Mi"), Hugepages = new VirtualHugePages { PageSize = Guests.QuantityOf("2Mi") } });
            await agent.DesireAsync(1, machine);
            await agent.UntilAsync("router", IsReady);
            await UntilSaidAsync("DONE");
            Assert.That(new HugePages().FreeBytes(2 << 20), Is.EqualTo(64L << 20), "all of its memory is made of them");
            Assert.That(agent.Records.All.Single().Run!.MemoryBytes, Is.LessThan(256L << 20), "and takes no other");

            await agent.DesireAsync(2, machine, machine with { Name = "second", Uid = "01234567-second" });
            var refused = await agent.UntilAsync("second", status => status.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.ResourcesMissing));
            Assert.That(refused.Conditions[0].Message, Does.StartWith("128 huge pages of 2Mi are needed, 32 are free; set more aside"));
            Assert.That(agent.Records.All.Single(record => record.Name == "second").LastExit, Is.Null, "nothing was started");

            await agent.DesireAsync(3, machine with { Name = "second", Uid = "01234567-second" });
            await agent.UntilGoneAsync("router");
            await agent.UntilAsync("second", IsReady);
        }
        finally
        {
            await TearDown();
            SetPool(0);
        }
    }

    [Test]
    public async Task A_node_short_of_memory_takes_it_back_and_says_so()
    {
        await agent.DisposeAsync();
        // More than any node has is to be left.
        options = options with { MemoryMinFreeBytes = 1L << 49 };
        await BeginAsync();
        await agent.DesireAsync(
            1,
            Machine("router", null, new VirtualMemorySpec { Size = Guests.QuantityOf("256Mi"), Minimum = Guests.QuantityOf("160Mi") }),
            Machine("fixed", null, new VirtualMemorySpec { Size = Guests.QuantityOf("192Mi") }));
        Assert.That((await agent.UntilAsync("router", IsReady)).MemoryBytes, Is.EqualTo(256L << 20));
        await UntilSaidAsync("DONE");
        var status = await agent.UntilAsync("router", now =>
        {
            agent.Tools.Balloons.CheckAsync(default).Wait();
            return now.MemoryBytes <= 160L << 20;
        });
        Assert.That(status.MemoryBytes, Is.EqualTo(160L << 20), "its floor");
        Assert.That((await agent.UntilAsync("fixed", IsReady)).MemoryBytes, Is.EqualTo(192L << 20), "one without a minimum keeps all");
    }

    private static bool IsReady(VirtualMachineInstanceStatus status) =>
        status.State == VirtualMachineState.Running && status.Conditions.Is(ConditionTypes.Ready, ConditionStatus.True, ReadyReasons.Ready);

    private static void NeedsProcessors(int count)
    {
        if (Environment.ProcessorCount < count)
        {
            Assert.Ignore($"this machine has fewer than {count} processors");
        }
    }

    private static bool SetPool(int pages)
    {
        try
        {
            File.WriteAllText(Pool, $"{pages}");
            return File.ReadAllText(Pool).Trim() == $"{pages}";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static DesiredVirtualMachine Machine(string name, VirtualCpuSpec? cpu, VirtualMemorySpec? memory = null) => new()
    {
        Name = name,
        Uid = $"01234567-{name}",
        Generation = 1,
        Spec = new VirtualMachineSpec
        {
            TerminationGracePeriodSeconds = 0,
            Acceleration = VirtualMachineAcceleration.Preferred,
            Cpu = cpu,
            Memory = memory ?? new VirtualMemorySpec { Size = Guests.QuantityOf("256Mi") },
            Boot = new VirtualMachineBoot { Kernel = new DirectKernelSpec { Image = "registry.example/vm:1", Kernel = "/boot/vmlinuz", Initrd = "boot/initrd", CommandLine = "console=ttyS0 quiet" } },
            Interfaces = [],
        },
    };

    // The guest's processor is a thread of this name because QEMU is started with debug-threads=on.
    private void ExpectPinned(int own, string rest)
    {
        var threads = ThreadsOf("pinned");
        Assert.That(threads.Where(thread => thread.Name.StartsWith("CPU 0/", StringComparison.Ordinal)).Select(thread => thread.Cpus), Is.EqualTo((string[])[$"{own}"]));
        Assert.That(threads.Where(thread => !thread.Name.StartsWith("CPU ", StringComparison.Ordinal)).Select(thread => thread.Cpus), Is.Not.Empty.And.All.EqualTo(rest), "all else of QEMU");
    }

    private IReadOnlyList<(string Name, string Cpus)> ThreadsOf(string machine)
    {
        var pid = agent.Records.All.Single(record => record.Name == machine).Run!.Pid;
        return [.. Directory.GetDirectories($"/proc/{pid}/task").Select(task => (File.ReadAllText(Path.Combine(task, "comm")).Trim(), CpuList.Format(CpuAffinity.Of(int.Parse(Path.GetFileName(task), null)))))];
    }

    private async Task BeginAsync()
    {
        agent = new MachineAgent(options, images, Host);
        await agent.Reconciler.ReclaimAsync(default);
        await agent.Network.RecoverAsync([], default);
    }

    private async Task EventuallyAsync(Func<bool> holds, string what)
    {
        for (var i = 0; i < 500; i++)
        {
            await agent.Reconciler.ReconcileAsync(agent.Token);
            if (holds())
            {
                return;
            }

            await Task.Delay(40);
        }

        Assert.Fail($"did not come: {what}");
    }

    private async Task<string> UntilSaidAsync(string text)
    {
        var log = VmPaths.Of(options, agent.Records.All.Single(record => record.Name == "router").Id).ConsoleLog;
        await EventuallyAsync(() => File.Exists(log) && File.ReadAllText(log).Contains(text, StringComparison.Ordinal), $"the guest says {text}");
        return File.ReadAllText(log);
    }

    private sealed class OneImage(string layer) : IContainerImages
    {
        public Task<StoredImage> EnsureAsync(ImageReference reference, ImagePullPolicy policy, CancellationToken ct) =>
            Task.FromResult(new StoredImage("sha256:" + new string('0', 64), new ImageConfig(), [layer]));

        public Task CollectGarbageAsync(IReadOnlySet<string> manifestDigestsInUse, CancellationToken ct) => Task.CompletedTask;
    }
}
