using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Logs;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>Logs that real conmons write, while they are made short and brought to disk.</summary>
[Category("root")]
internal sealed class RealLogsTests : RealContainersFixture
{
    private const int Lines = 5000;

    protected override NodeOptions Configure(NodeOptions defaults) =>
        defaults with { Logs = new LogsOptions { MaxSizeBytes = 64 << 10, MaxFiles = 20, Storage = TestContext.CurrentContext.Test.Name.StartsWith("Memory", StringComparison.Ordinal) ? LogStorage.Memory : LogStorage.Disk } };

    [Test]
    public Task Disk_no_line_is_lost_or_told_twice_while_files_are_changed() => NoLineIsLostAsync();

    [Test]
    public async Task Memory_no_line_is_lost_or_told_twice_while_files_are_changed_and_the_end_is_on_disk()
    {
        await NoLineIsLostAsync();
        Assert.That(Directory.GetDirectories(directories.MemoryLogs), Is.Empty, "the run has ended");
    }

    [Test]
    public async Task Memory_an_agent_that_ends_leaves_nothing_in_memory()
    {
        await DesireAsync(Workload("web", "echo hello; exec busybox sleep 1000"));
        var id = (await agent.UntilAsync("web", IsReady)).Containers[0].ContainerId!;
        await LinesAsync(new LogsRequest { Workload = "web", Tail = -1 }, 1);
        Assert.That(File.Exists(directories.Log(id)), Is.False);
        using var rotation = new LogRotation(directories, agent.Records, TimeProvider.System, NullLogger<LogRotation>.Instance);
        await rotation.StartAsync(default);
        await rotation.StopAsync(default);
        Assert.That(File.ReadAllText(directories.Log(id)), Does.Contain("hello"));
    }

    private async Task NoLineIsLostAsync()
    {
        var workload = Workload("web", $"i=0; while [ $i -lt {Lines} ]; do echo line $i; i=$((i+1)); [ $((i % 100)) -eq 0 ] && busybox usleep 10000; done");
        await DesireAsync(workload with { Template = workload.Template with { RestartPolicy = RestartPolicy.Never } });
        var id = (await agent.UntilAsync("web", status => status.Containers is [{ ContainerId: not null }])).Containers[0].ContainerId!;
        var rotations = 0;
        while (await agent.StatusAsync("web") is not { Containers: [{ State: ContainerState.Terminated }] } || agent.Records.FindContainer(id) is not { Retired: true })
        {
            await LogArchive.KeepAsync(id, flush: true, directories, TimeProvider.System);
            await agent.ReconcileAsync();
            Assert.That(++rotations, Is.LessThan(100_000));
        }

        var expected = Enumerable.Range(0, Lines).Select(number => $"line {number}");
        Assert.That((await LinesAsync(new LogsRequest { Workload = "web", Tail = -1 }, Lines)).Select(line => line.Text), Is.EqualTo(expected));
        Assert.That(LogArchive.Files(id, directories), Has.Count.GreaterThan(3), "files were changed");
    }
}
