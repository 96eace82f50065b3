using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Eviction;
using EdgeVirt.Testing;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Node.Tests.Containers.Eviction;

/// <summary>Who is evicted on a disk that never has enough, of workloads that are files alone.</summary>
internal sealed class DiskPressureTests
{
    private readonly FakeTimeProvider time = new();
    private TempDirectory directory = null!;
    private NodeOptions options = null!;
    private NodeDirectories directories = null!;
    private RecordStore records = null!;
    private FakeContainerRuntime runtime = null!;
    private NodeConditions conditions = null!;

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        options = new NodeOptions { DataDir = directory.Subdirectory("data"), RunDir = directory.Subdirectory("run"), EvictionMinFreeBytes = long.MaxValue };
        directories = new NodeDirectories(options);
        records = new RecordStore(directories, NullLogger<RecordStore>.Instance);
        (runtime, conditions) = (new FakeContainerRuntime(time), new NodeConditions(time));
    }

    [TearDown]
    public void TearDown() => directory.Dispose();

    [Test]
    public async Task A_full_disk_without_workloads_ends_nothing()
    {
        using var pressure = NewPressure();
        await CheckAsync(pressure, times: 3);
        Assert.That(runtime.Calls, Is.Empty);
        Assert.That(conditions.Read().Single(), Has.Property("Status").EqualTo(ConditionStatus.True));
    }

    [Test]
    public async Task Who_wrote_most_beyond_limits_goes_first_and_within_limits_only_when_nobody_else_is_left()
    {
        Write("plain", "upper/file", 2);
        Write("large", "upper/file", 3);
        Write("limited", "writable.ext4", 9);
        Write("small", "upper/file", 0);
        using var pressure = NewPressure();
        await CheckAsync(pressure, times: 2);
        Assert.That(runtime.Calls, Is.EqualTo(new[] { "evict large-uid" }));

        Gone("large");
        await CheckAsync(pressure, times: 1);
        Gone("plain");
        await CheckAsync(pressure, times: 1);
        Gone("limited");
        await CheckAsync(pressure, times: 2);
        Assert.That(runtime.Calls, Is.EqualTo(new[] { "evict large-uid", "evict plain-uid", "evict limited-uid" }), "nothing is to be had from the last one");
    }

    [Test]
    public async Task The_next_one_is_not_taken_while_the_last_ones_files_are_still_being_removed_but_for_half_a_minute()
    {
        Write("plain", "upper/file", 2);
        Write("large", "upper/file", 3);
        Directory.CreateDirectory(directories.Evictions);
        using var pressure = NewPressure();
        await CheckAsync(pressure, times: 2);
        File.WriteAllText(Path.Combine(directories.Evictions, "large-uid"), "");
        await CheckAsync(pressure, times: 3);
        Assert.That(runtime.Calls, Has.Count.EqualTo(1));
        time.Advance(TimeSpan.FromSeconds(30));
        await CheckAsync(pressure, times: 1);
        Assert.That(runtime.Calls, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task A_look_that_fails_ends_neither_the_watch_nor_the_agent()
    {
        Write("large", "upper/file", 3);
        var looks = 0;
        using var pressure = new DiskPressure(
            new DataPartition(options, directories, records), runtime, () => throw new InvalidOperationException($"look {++looks}"), conditions, time, NullLogger<DiskPressure>.Instance);
        await ((IHostedService)pressure).StartAsync(default);
        for (var tries = 0; runtime.Calls.IsEmpty && tries < 500; tries++)
        {
            time.Advance(TimeSpan.FromSeconds(2));
            await Task.Delay(10);
        }

        Assert.That((looks, runtime.Calls.First()), Is.EqualTo((1, "evict large-uid")));
        await ((IHostedService)pressure).StopAsync(default);
    }

    private static async Task CheckAsync(DiskPressure pressure, int times)
    {
        for (var i = 0; i < times; i++)
        {
            await pressure.CheckAsync(default);
        }
    }

    private DiskPressure NewPressure() => new(
        new DataPartition(options, directories, records), runtime, () => { }, conditions, time, NullLogger<DiskPressure>.Instance);

    private void Write(string workload, string file, int mebibytes)
    {
        var sandbox = new SandboxRecord { Id = $"{workload}-uid", Workload = workload, Uid = "uid", Hash = "h" };
        records.Put(sandbox);
        records.Put(new ContainerRecord { Id = $"{workload}-uid-main-0", SandboxId = sandbox.Id, Workload = workload, Uid = "uid", Container = "main", Attempt = 0, Hash = "h", ImageDigest = "d" });
        var path = Path.Combine(directories.Container($"{workload}-uid-main-0"), file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, new byte[mebibytes << 20]);
    }

    private void Gone(string workload) => Directory.Delete(directories.Container($"{workload}-uid-main-0"), recursive: true);
}
