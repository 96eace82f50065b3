using EdgeVirt.Contracts.Resources;
using EdgeVirt.Testing;

namespace EdgeVirt.SystemTests;

/// <summary>The main job, end to end, with the published hub, agent and CLI.</summary>
[Category("root")]
public sealed class MainJobTests
{
    private Fleet fleet = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        fleet = await Fleet.StartAsync(nodes: 2);
        await fleet.RunWebAsync();
    }

    [OneTimeTearDown]
    public async Task EndAsync() => await fleet.DisposeAsync();

    [Test]
    public async Task A_workload_answers_on_its_published_port_on_every_node()
    {
        foreach (var node in fleet.Nodes)
        {
            Assert.That(await Fleet.FetchAsync(node), Does.Contain("EdgeVirt"));
        }
    }

    [Test]
    public async Task A_node_describes_itself()
    {
        var status = await fleet.WaitForNodeAsync("node-1");
        Assert.Multiple(() =>
        {
            Assert.That(status.Addresses, Does.Contain(fleet.Node.Place.Address.ToString()));
            Assert.That(status.Kernel, Is.Not.Empty);
            Assert.That(status.MemoryBytes, Is.GreaterThan(1 << 28));
            Assert.That(status.CpuCount, Is.EqualTo(Environment.ProcessorCount));
            Assert.That(status.BootId, Is.EqualTo(File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim()));
            Assert.That(status.ContainerRuntime, Does.Match("^(runc|crun) [0-9.]+"));
            Assert.That(status.DesiredRevision, Is.GreaterThan(0));
            Assert.That(status.Is(ConditionTypes.DesiredStateAccepted, ConditionStatus.True), Is.True);
            Assert.That(status.Is(ConditionTypes.StorageHealthy, ConditionStatus.True), Is.True);
        });
    }

    [Test]
    public async Task A_deleted_workload_leaves_nothing_on_its_node()
    {
        var before = Census.Of(fleet.Node);
        await fleet.Hub.Api.ApplyAsync(SampleManifests.Sleeper("brief"));
        await fleet.Hub.Api.WaitForWorkloadAsync("brief", 2, TimeSpan.FromSeconds(60));
        Assert.That(Census.Of(fleet.Node).Containers, Has.Count.EqualTo(before.Containers.Count + 1));

        await fleet.Hub.Api.DeleteAsync(ResourceKind.Workload, "brief");
        await HubApi.WaitForAsync(
            $"the node to be as before: {before}", () => Task.FromResult(Census.Of(fleet.Node)), before.CountsLike, now => now.ToString(), TimeSpan.FromSeconds(30));
    }

    [Test]
    public async Task A_change_replaces_the_container_and_raises_the_generation()
    {
        await fleet.Hub.Api.ApplyAsync(SampleManifests.Sleeper("changing", 1));
        await fleet.Hub.Api.WaitForWorkloadAsync("changing", 2, TimeSpan.FromSeconds(60));
        await fleet.Hub.Api.ApplyAsync(SampleManifests.Sleeper("changing", 2));
        var status = await HubApi.WaitForAsync(
            "generation 2 on both nodes",
            () => fleet.Hub.Api.WorkloadStatusAsync("changing"),
            now => now.ReadyInstances == 2 && now.Instances.All(instance => instance.ObservedGeneration == 2),
            now => string.Join(", ", now.Instances.Select(instance => instance.ObservedGeneration)),
            TimeSpan.FromSeconds(60));

        Assert.That(status.Conditions.Is(ConditionTypes.Ready, ConditionStatus.True), Is.True);
        var logs = Cli("logs", "changing", "--node", "node-1");
        Assert.That(logs.Output.Trim(), Is.EqualTo("started 2"));
    }

    [Test]
    public void The_command_line_shows_what_there_is()
    {
        var nodes = Cli("get", "nodes");
        var workload = Cli("describe", "workload", "web");
        var logs = Cli("logs", "web", "--node", "node-2", "--tail", "5");
        Assert.Multiple(() =>
        {
            Assert.That(nodes.Output, Does.Contain("node-1").And.Contain("node-2").And.Contain("Ready"));
            Assert.That(workload.Output, Does.Contain("nginx").And.Contain("Running"));
            Assert.That(logs.ExitCode, Is.Zero, logs.Error);
        });
    }

    [Test]
    public async Task Telemetry_arrives_with_the_usage_of_workloads()
    {
        var usage = await HubApi.WaitForAsync(
            "memory of web on node-1",
            () => fleet.Hub.Api.QueryTelemetryAsync("node=node-1&metric=container.memory.usage&attr.workload=web"),
            answer => answer.Points.Count >= 3,
            answer => $"{answer.Points.Count} points",
            TimeSpan.FromSeconds(30));

        Assert.That(usage.Points.Select(point => point.Value), Has.All.GreaterThan(100_000).And.All.LessThan(1e9));
    }

    private (int ExitCode, string Output, string Error) Cli(params string[] arguments) => RealCli.At(fleet.Hub).Try(arguments);
}
