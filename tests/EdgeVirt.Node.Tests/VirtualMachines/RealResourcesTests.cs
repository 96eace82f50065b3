using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Tests.VirtualMachines.Qemu;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines;

/// <summary>Processors and memory of machines, from the desired document to threads and pages of real QEMUs.</summary>
[Category("root")]
public sealed class RealResourcesTests
{
    private const string Pool = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
    private const string TellTopology =
        "for c in /sys/devices/system/cpu/cpu[0-9]*/topology; do echo CPU $(bb cat $c/physical_package_id) $(bb cat $c/core_id); done\necho DONE\nbb sleep 1000";

    private GuestBoard? board;

    private GuestBoard Board => board!;

    private MachineAgent Agent => Board.Agent;

    [TearDown]
    public async Task TearDown()
    {
        await (board?.DisposeAsync() ?? ValueTask.CompletedTask);
        board = null;
    }

    [Test]
    public async Task A_guest_finds_the_topology_that_was_asked_for()
    {
        NeedsProcessors(2);
        await BeginAsync();
        await Board.DesireAsync(Machine("router", new VirtualCpuSpec { Sockets = 2 }));
        await Agent.UntilAsync("router", GuestBoard.IsReady);
        Assert.That((await Board.UntilSaidAsync("DONE")).Split('\n').Select(line => line.Trim()).Where(line => line.StartsWith("CPU", StringComparison.Ordinal)), Is.EqualTo((string[])["CPU 0 0", "CPU 1 0"]));
    }

    [Test]
    public async Task Dedicated_processors_are_one_machines_alone_over_a_restart_of_the_agent_and_free_after_it()
    {
        NeedsProcessors(2);
        await BeginAsync();
        var all = CpuTopology.Read().Select(cpu => cpu.Number).ToList();
        await Board.DesireAsync(Machine("shared", new VirtualCpuSpec()));
        var shared = await Agent.UntilAsync("shared", GuestBoard.IsReady);
        Assert.That(shared.Cpus, Is.Null, "any");
        Assert.That(ThreadsOf("shared").Select(thread => thread.Cpus), Has.All.EqualTo(CpuList.Format(all)));

        await Board.DesireAsync(Machine("shared", new VirtualCpuSpec()), Machine("pinned", new VirtualCpuSpec { DedicatedCpuPlacement = true }));
        var pinned = await Agent.UntilAsync("pinned", GuestBoard.IsReady);
        var own = int.Parse(pinned.Cpus!, null);
        var rest = CpuList.Format(all.Where(cpu => cpu != own));
        await Agent.UntilAsync("shared", status => status.Cpus == rest);
        ExpectPinned(own, rest);
        await Board.UntilAsync(() => ThreadsOf("shared").All(thread => thread.Cpus == rest), "the other machine moves away");

        await Board.DesireAsync(Machine("shared", new VirtualCpuSpec()), Machine("pinned", new VirtualCpuSpec { DedicatedCpuPlacement = true }), Machine("late", new VirtualCpuSpec { Cores = all.Count - 1, DedicatedCpuPlacement = true }));
        var refused = await Agent.UntilAsync("late", status => status.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.ResourcesMissing));
        Assert.That(refused.Conditions[0].Message, Does.Contain("1 are other machines' alone"));

        var run = Agent.Records.All.Single(record => record.Name == "pinned").Run;
        await Board.RestartAsync();
        pinned = await Agent.UntilAsync("pinned", GuestBoard.IsReady);
        Assert.That((Agent.Records.All.Single(record => record.Name == "pinned").Run, pinned.Cpus), Is.EqualTo((run, $"{own}")));
        ExpectPinned(own, rest);
        Assert.That(ThreadsOf("shared").Select(thread => thread.Cpus), Has.All.EqualTo(rest));
        await Agent.UntilAsync("late", status => status.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.ResourcesMissing));

        await Board.DesireAsync(Machine("shared", new VirtualCpuSpec()));
        await Agent.UntilGoneAsync("pinned");
        await Board.UntilAsync(() => ThreadsOf("shared").All(thread => thread.Cpus == CpuList.Format(all)), "the other machine comes back");
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
            await BeginAsync();
            var machine = Machine("router", null, new VirtualMemorySpec { Size = Guests.QuantityOf("256Mi"), Hugepages = new VirtualHugePages { PageSize = Guests.QuantityOf("2Mi") } });
            await Board.DesireAsync(machine);
            await Agent.UntilAsync("router", GuestBoard.IsReady);
            await Board.UntilSaidAsync("DONE");
            Assert.That(new HugePages().FreeBytes(2 << 20), Is.EqualTo(64L << 20), "all of its memory is made of them");
            Assert.That(Agent.Records.All.Single().Run!.MemoryBytes, Is.LessThan(256L << 20), "and takes no other");

            await Board.DesireAsync(machine, machine with { Name = "second", Uid = "01234567-second" });
            var refused = await Agent.UntilAsync("second", status => status.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.ResourcesMissing));
            Assert.That(refused.Conditions[0].Message, Does.StartWith("128 huge pages of 2Mi are needed, 32 are free; set more aside"));
            Assert.That(Agent.Records.All.Single(record => record.Name == "second").LastExit, Is.Null, "nothing was started");

            await Board.DesireAsync(machine with { Name = "second", Uid = "01234567-second" });
            await Agent.UntilGoneAsync("router");
            await Agent.UntilAsync("second", GuestBoard.IsReady);
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
        // More than any node has is to be left.
        await BeginAsync(options => options with { MemoryMinFreeBytes = 1L << 49 });
        await Board.DesireAsync(
            Machine("router", null, new VirtualMemorySpec { Size = Guests.QuantityOf("256Mi"), Minimum = Guests.QuantityOf("160Mi") }),
            Machine("fixed", null, new VirtualMemorySpec { Size = Guests.QuantityOf("192Mi") }));
        Assert.That((await Agent.UntilAsync("router", GuestBoard.IsReady)).MemoryBytes, Is.EqualTo(256L << 20));
        await Board.UntilSaidAsync("DONE");
        var status = await Agent.UntilAsync("router", now =>
        {
            Agent.Tools.Balloons.CheckAsync(default).Wait();
            return now.MemoryBytes <= 160L << 20;
        });
        Assert.That(status.MemoryBytes, Is.EqualTo(160L << 20), "its floor");
        Assert.That((await Agent.UntilAsync("fixed", GuestBoard.IsReady)).MemoryBytes, Is.EqualTo(192L << 20), "one without a minimum keeps all");
    }

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

    private static DesiredVirtualMachine Machine(string name, VirtualCpuSpec? cpu, VirtualMemorySpec? memory = null) =>
        GuestBoard.Machine(name, spec => spec with { Cpu = cpu, Memory = memory ?? spec.Memory });

    // The guest's processor is a thread of this name because QEMU is started with debug-threads=on.
    private void ExpectPinned(int own, string rest)
    {
        var threads = ThreadsOf("pinned");
        Assert.That(threads.Where(thread => thread.Name.StartsWith("CPU 0/", StringComparison.Ordinal)).Select(thread => thread.Cpus), Is.EqualTo((string[])[$"{own}"]));
        Assert.That(threads.Where(thread => !thread.Name.StartsWith("CPU ", StringComparison.Ordinal)).Select(thread => thread.Cpus), Is.Not.Empty.And.All.EqualTo(rest), "all else of QEMU");
    }

    private IReadOnlyList<(string Name, string Cpus)> ThreadsOf(string machine)
    {
        var pid = Agent.Records.All.Single(record => record.Name == machine).Run!.Pid;
        return [.. Directory.GetDirectories($"/proc/{pid}/task").Select(task => (File.ReadAllText(Path.Combine(task, "comm")).Trim(), CpuList.Format(CpuAffinity.Of(int.Parse(Path.GetFileName(task), null)))))];
    }

    private async Task BeginAsync(Func<NodeOptions, NodeOptions>? options = null) =>
        board = await GuestBoard.StartLinuxAsync(TellTopology, new MachineAgentSetup { Options = options });
}
