using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Networks;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>Many workloads that come and go: nothing of them may stay, or a board is full after some weeks.</summary>
[Category("root")]
internal sealed class RealChurnTests : RealContainersFixture
{
    private const int AtOnce = 50;
    private const int FirstPort = 20_000;
    private static readonly TimeSpan PatienceOfARound = TimeSpan.FromSeconds(60);

    [TestCase(150)]
    [TestCase(1000, Category = "long")]
    public async Task Workloads_that_come_and_go_leave_nothing(int starts)
    {
        await RoundAsync(0);
        var before = Kernel();
        for (var round = 1; round < starts / AtOnce; round++)
        {
            await RoundAsync(round);
        }

        var after = Kernel();
        Assert.Multiple(() =>
        {
            // One file may have taken another one's place; what tests before this one held may still be finalized, which is no leak.
            Assert.That(after.OpenFiles, Has.Length.LessThanOrEqualTo(before.OpenFiles.Length), $"opened since: {string.Join(", ", after.OpenFiles.Except(before.OpenFiles))}");
            Assert.That(after.Ports, Is.EqualTo(before.Ports));
            Assert.That(after.Processes, Is.EqualTo(before.Processes));
        });
    }

    // All of them at once; some end by themselves and come again before all of them go.
    private async Task RoundAsync(int round)
    {
        agent.Allow(PatienceOfARound);
        await DesireAsync(new NodeDocument
        {
            Node = "n",
            Workloads = [.. Enumerable.Range(0, AtOnce).Select(number => Churning(number, round))],
            Secrets = [new DesiredSecret { Name = "s", Data = new Dictionary<string, byte[]> { ["k"] = "v"u8.ToArray() } }],
        });
        for (var number = 0; number < AtOnce; number++)
        {
            var restarts = number % 10 == 0 ? 1 : 0;
            await agent.UntilAsync(NameOf(number), status => IsReady(status) && status.Containers[0].RestartCount == restarts);
        }

        Assert.That(agent.Records.Containers.Count(container => container is { Exit: null, StartedAt: not null }), Is.EqualTo(AtOnce), "all run at the same time");
        await DesireAsync();
        for (var number = 0; number < AtOnce; number++)
        {
            await agent.UntilGoneAsync(NameOf(number));
        }

        AssertNothingIsLeft();
    }

    /// <summary>What only the kernel knows of: open files of this process, rules, processes that were told of our directories.</summary>
    private (string[] OpenFiles, string Ports, int Processes) Kernel()
    {
        // What the runtime has not finalized yet is no leak; what a finalizer lets go of is finalized by the second round.
        for (var round = 0; round < 2; round++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        var rules = NetworkNamespaces.Run(Host, () => ProcessRunner.RunAsync("nft", ["list", "table", "ip", FirewallRules.Table], TimeSpan.FromSeconds(10))).GetAwaiter().GetResult().Output;
        return (
            [.. Directory.GetFileSystemEntries("/proc/self/fd").Select(file => new FileInfo(file).LinkTarget ?? "").Order(StringComparer.Ordinal)],
            string.Join('\n', rules.Split('\n').Where(line => line.Contains("elements", StringComparison.Ordinal))),
            Processes.List().Count(process => process.Arguments.Any(argument => argument.StartsWith(directory.Path + "/", StringComparison.Ordinal))));
    }

    private static string NameOf(int number) => $"w{number}";

    private static DesiredWorkload Churning(int number, int round)
    {
        // The first of ten ends once; the file is on a volume, which outlives the run.
        var workload = Workload(NameOf(number), number % 10 == 0 ? "if [ ! -e /data/f ]; then echo > /data/f; exit 1; fi; exec busybox sleep 1000" : "exec busybox sleep 1000", FirstPort + number);
        var container = workload.Template.Containers[0] with
        {
            VolumeMounts = [new VolumeMount { Name = "data", MountPath = "/data" }, new VolumeMount { Name = "keys", MountPath = "/keys" }],
        };
        return workload with
        {
            Uid = $"uid{round}",
            Template = workload.Template with
            {
                Containers = [container],
                Volumes = [new VolumeSpec { Name = "data", EmptyDir = new EmptyDirSource() }, new VolumeSpec { Name = "keys", Secret = new SecretSource { SecretName = "s" } }],
            },
        };
    }
}
