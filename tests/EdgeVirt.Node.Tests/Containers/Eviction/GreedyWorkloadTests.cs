using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.Tests.Containers.Eviction;

/// <summary>A workload that takes all it can get: it alone suffers, and is told why.</summary>
[Category("root")]
internal sealed class GreedyWorkloadTests : RealContainersFixture
{
    private const int Port = 18_080;
    private const int LogFiles = 3;

    // One more may be there while the agent has not yet seen that a file is full.
    private const long LargestLog = (LogFiles + 1L) << 20;

    [Test]
    public async Task All_memory() =>
        await RunAsync("x=x; while :; do x=$x$x; done", new ResourceLimits { Memory = Amount("32Mi") }, "was killed for using more memory than its limit", "OOMKilled");

    [Test]
    public async Task All_processes()
    {
        var limits = new ResourceLimits { Pids = 16 };
        await RunAsync("i=0; while [ $i -lt 100 ]; do busybox sleep 1000 & i=$((i+1)); done; exit 0", limits, "ended with exit code 2 (it was refused 1 process by limits.pids)", "Error");
        await SaidAsync("can't fork");
    }

    [Test]
    public async Task All_of_its_root()
    {
        await RunAsync("busybox dd if=/dev/zero of=/big bs=1M count=64; exit $?", new ResourceLimits { EphemeralStorage = Amount("16Mi") }, "ended with exit code 1", "Error");
        await SaidAsync("No space left on device");
        await DesireAsync(Neighbour());
        await agent.UntilGoneAsync("greedy");
        Assert.That(Mounts.List().Where(mount => mount.Target.StartsWith(directories.Container("greedy"), StringComparison.Ordinal)), Is.Empty);
    }

    [Test]
    public async Task All_of_its_shared_memory()
    {
        await RunAsync("busybox dd if=/dev/zero of=/dev/shm/big bs=1M count=100; exit $?", new ResourceLimits { Memory = Amount("128Mi") }, "ended with exit code 1", "Error");
        await SaidAsync("No space left on device");
    }

    [Test]
    public async Task All_of_its_log()
    {
        await RunAsync("busybox yes 0123456789012345678901234567890123456789012345678901234567890123456789 | busybox head -c 40000000; exit 3", limits: null, "ended with exit code 3", "Error");
        var logs = new DirectoryInfo(directories.Containers).EnumerateFiles("ctr.log*", SearchOption.AllDirectories).Where(file => file.DirectoryName!.Contains("greedy", StringComparison.Ordinal));
        Assert.That(logs.Sum(file => file.Length), Is.InRange(1, LargestLog), "40 MB were written");
    }

    // Beside a neighbour that must notice nothing, and with changes going on.
    private async Task RunAsync(string script, ResourceLimits? limits, string words, string reason)
    {
        await DesireAsync(Neighbour());
        var before = await agent.UntilAsync("web", IsReady);
        Assert.That(await AnswerAsync(Port), Is.EqualTo("answer\n"));

        var greedy = Workload("greedy", script);
        var container = greedy.Template.Containers[0] with { Resources = limits is null ? null : new ResourceRequirements { Limits = limits } };
        greedy = greedy with { Template = greedy.Template with { RestartPolicy = RestartPolicy.Never, Containers = [container], Logs = new LogsSpec { MaxSize = Amount("1Mi"), MaxFiles = LogFiles } } };
        await DesireAsync(Neighbour(), greedy);
        var status = await agent.UntilAsync("greedy", status => status.Containers[0].State == ContainerState.Terminated);
        Assert.That(status.Containers[0].LastExit!.Reason, Is.EqualTo(reason));
        Assert.That((status.Conditions[0].Reason, status.Conditions[0].Message), Is.EqualTo((ReadyReasons.Failed, $"container 'main' {words} and is not started again")));

        Assert.That(await AnswerAsync(Port), Is.EqualTo("answer\n"));
        await DesireAsync(Neighbour(), greedy, Workload("later", "exec busybox sleep 1000"));
        await agent.UntilAsync("later", IsReady);
        var after = await agent.StatusAsync("web");
        Assert.That((after!.Containers[0].ContainerId, after.Containers[0].RestartCount), Is.EqualTo((before.Containers[0].ContainerId, 0)));
    }

    private async Task SaidAsync(string words) =>
        Assert.That((await LinesAsync(new LogsRequest { Workload = "greedy", Tail = -1 }, 1)).Select(line => line.Text), Has.Some.Contains(words));

    private static DesiredWorkload Neighbour() => Workload("web", "exec busybox nc -ll -p 80 -e /bin/busybox echo answer", Port);

    private static Quantity Amount(string text) => Quantity.TryParse(text, out var quantity) ? quantity : throw new ArgumentException(text);
}
