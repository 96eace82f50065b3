using EdgeVirt.Testing;

namespace EdgeVirt.Linux.Tests;

public sealed class CpuTopologyTests
{
    private TempDirectory directory = null!;

    [SetUp]
    public void SetUp() => directory = new TempDirectory();

    [TearDown]
    public void TearDown() => directory.Dispose();

    [TestCase("0-3,8", new[] { 0, 1, 2, 3, 8 })]
    [TestCase("0 1 4\n", new[] { 0, 1, 4 })]
    [TestCase("", new int[0])]
    [TestCase("junk,3-x,0-99999999,7", new[] { 7 })]
    public void A_list_is_read(string text, int[] numbers) => Assert.That(CpuList.Parse(text), Is.EqualTo(numbers));

    [TestCase(new[] { 8, 3, 2, 1, 3 }, "1-3,8")]
    [TestCase(new[] { 0 }, "0")]
    [TestCase(new int[0], "")]
    public void A_list_is_written(int[] numbers, string text) => Assert.That(CpuList.Format(numbers), Is.EqualTo(text));

    [Test]
    public void On_big_LITTLE_processors_are_of_the_kind_that_their_identification_says()
    {
        // As an RK3588: four A55, and two pairs of A76 with clocks of their own.
        Write("online", "0-7");
        for (var i = 0; i < 8; i++)
        {
            var big = i >= 4;
            Write($"cpu{i}/cpu_capacity", i >= 6 ? "1024" : big ? "1020" : "530");
            Write($"cpu{i}/regs/identification/midr_el1", big ? "0x00000000414fd0b0" : "0x00000000412fd050");
            Write($"cpu{i}/topology/core_cpus_list", $"{i}");
            Write($"cpu{i}/topology/cluster_cpus_list", $"{i}");
            Write($"cpu{i}/topology/package_cpus_list", "0-7");
            Write($"cpu{i}/cpufreq/related_cpus", i < 4 ? "0 1 2 3" : i < 6 ? "4 5" : "6 7");
        }

        var cpus = CpuTopology.Read(directory.Path, mayDiffer: true);
        Assert.That(cpus.GroupBy(cpu => cpu.Kind).Select(kind => CpuList.Format(kind.Select(cpu => cpu.Number))), Is.EqualTo((string[])["0-3", "4-7"]), "whatever their clocks are");
        Assert.That(cpus.Select(cpu => cpu.Cluster).Distinct(), Is.EqualTo((string[])["0-3", "4-5", "6-7"]));
        Assert.That(CpuTopology.Read(directory.Path, mayDiffer: false).Select(cpu => cpu.Kind).Distinct(), Has.Exactly(1).Items);
    }

    [Test]
    public void Without_it_they_are_of_the_kind_that_their_capacity_says()
    {
        Write("online", "0-3");
        for (var i = 0; i < 4; i++)
        {
            Write($"cpu{i}/cpu_capacity", i < 2 ? "485" : "1024");
            Write($"cpu{i}/topology/thread_siblings_list", $"{i}");
            Write($"cpu{i}/topology/cluster_cpus_list", i < 2 ? "0-1" : "2-3");
        }

        var cpus = CpuTopology.Read(directory.Path, mayDiffer: true);
        Assert.That(cpus.Select(cpu => (cpu.Number, cpu.Capacity, cpu.Cluster, cpu.Core)), Is.EqualTo(
            ((int, int, string, string)[])[(0, 485, "0-1", "0"), (1, 485, "0-1", "1"), (2, 1024, "2-3", "2"), (3, 1024, "2-3", "3")]));
        Assert.That(cpus.Select(cpu => cpu.Kind).Distinct().Count(), Is.EqualTo(2));
    }

    [Test]
    public void Those_that_are_offline_are_left_out_and_a_bare_kernel_has_one_kind()
    {
        Write("online", "0,2");
        Assert.That(CpuTopology.Read(directory.Path, mayDiffer: true), Is.EqualTo((Cpu[])[new(0, "1024", 1024, "0", "0"), new(2, "1024", 1024, "2", "2")]));
    }

    [Test]
    public void This_machine_has_as_many_as_this_process_may_use() => Assert.That(CpuTopology.Read(), Has.Count.EqualTo(Environment.ProcessorCount));

    [Test]
    public void Work_runs_where_it_is_to_and_the_thread_comes_back()
    {
        var before = CpuAffinity.Of(0);
        var inside = CpuAffinity.Run([before[^1]], () => CpuAffinity.Of(0));
        Assert.That(inside, Is.EqualTo((int[])[before[^1]]));
        Assert.That(CpuAffinity.Of(0), Is.EqualTo(before));
        Assert.That(Assert.Throws<LinuxException>(() => CpuAffinity.Set(0, [CpuAffinity.MostCpus - 1]))!.Message, Does.Contain("processors 1023"));
        Assert.That(CpuAffinity.Set(int.MaxValue, before), Is.False, "gone");
    }

    [Test]
    public void Huge_pages_are_those_that_are_free_and_not_promised()
    {
        Write("hugepages-2048kB/nr_hugepages", "100\n");
        Write("hugepages-2048kB/free_hugepages", "60\n");
        Write("hugepages-2048kB/resv_hugepages", "10\n");
        Write("hugepages-1048576kB/nr_hugepages", "1\n");
        var pages = new HugePages(directory.Path);
        Assert.That(pages.FreeBytes(2 << 20), Is.EqualTo(50L * (2 << 20)));
        Assert.That(pages.FreeBytes(64 << 10), Is.Null);
        Assert.That(pages.TotalBytes, Is.EqualTo((200L << 20) + (1L << 30)));
        Assert.That(new HugePages(directory.Combine("none")).TotalBytes, Is.Zero);
    }

    private void Write(string file, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(directory.Combine(file))!);
        File.WriteAllText(directory.Combine(file), text);
    }
}
