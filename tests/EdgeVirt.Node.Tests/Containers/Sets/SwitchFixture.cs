using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Testing;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Node.Tests.Containers.Sets;

/// <summary>An agent with a runtime that runs nothing, and workloads <c>r.local/NAME:VERSION</c> for it.</summary>
internal abstract class SwitchFixture
{
    protected static readonly TimeSpan MinReady = TimeSpan.FromSeconds(10);
    protected static readonly TimeSpan Deadline = TimeSpan.FromSeconds(300);

    private ulong revision;

    protected FakeTimeProvider Time { get; private set; } = null!;

    protected TempDirectory Folder { get; private set; } = null!;

    protected FakeContainerRuntime Runtime { get; private set; } = null!;

    protected FakeImages Images { get; private set; } = null!;

    protected AgentUnderTest Agent { get; private set; } = null!;

    [SetUp]
    public void SetUp()
    {
        revision = 0;
        Time = new FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        Folder = new TempDirectory();
        Runtime = new FakeContainerRuntime(Time);
        Images = new FakeImages();
        Agent = NewAgent();
    }

    [TearDown]
    public async Task TearDown()
    {
        await Agent.DisposeAsync();
        Folder.Dispose();
    }

    protected static DesiredWorkload Workload(string name, int version, UpdateStrategy? strategy = null) => new()
    {
        Name = name,
        Uid = "uid1",
        Generation = version,
        Template = new PodSpec { Containers = [new ContainerSpec { Name = "main", Image = ImageOf(name, version) }] },
        Strategy = strategy,
    };

    protected static string ImageOf(string name, int version) => $"r.local/{name}-{version}:latest";

    protected static UpdateStrategy InSet(UpdateStrategyType type = UpdateStrategyType.Recreate) => new() { Type = type, Set = "shop" };

    /// <summary>Which versions run, e.g. <c>db-1</c>.</summary>
    protected IReadOnlyList<string> RunningVersions => [.. Agent.Records.Containers
        .Where(container => container is { Exit: null, Retired: false } && Runtime.Running.Contains(container.Id))
        .Select(container => container.ImageDigest["sha256:".Length..])
        .Order(StringComparer.Ordinal)];

    protected static Condition? Progress(WorkloadInstanceStatus status) =>
        status.Conditions.FirstOrDefault(condition => condition.Type == ConditionTypes.Progressing);

    protected static Condition Ready(WorkloadInstanceStatus status) => status.Conditions.Single(condition => condition.Type == ConditionTypes.Ready);

    protected Task DesireAsync(params DesiredWorkload[] workloads) =>
        Agent.DesireAsync(++revision, new NodeDocument { Node = "n1", Workloads = workloads });

    /// <summary>Until all are Ready at that version and proved themselves.</summary>
    protected async Task SettleAsync(params DesiredWorkload[] workloads)
    {
        await DesireAsync(workloads);
        foreach (var workload in workloads)
        {
            await UntilReadyAsync(workload.Name, workload.Generation);
        }

        await PassTimeAsync(MinReady);
        foreach (var workload in workloads)
        {
            await Agent.UntilAsync(workload.Name, status => Progress(status) is null && Ready(status).Status == ConditionStatus.True);
        }

        Assert.That(await Agent.Store.ReadSetsAsync(default), Is.Not.Empty);
    }

    protected async Task PassTimeAsync(TimeSpan span)
    {
        Time.Advance(span);
        await Agent.ReconcileAsync();
    }

    protected Task<WorkloadInstanceStatus> UntilProgressAsync(string name, string reason) =>
        Agent.UntilAsync(name, status => Progress(status)?.Reason == reason);

    protected Task<WorkloadInstanceStatus> UntilReadyAsync(string name, long generation) =>
        Agent.UntilAsync(name, status => status.ObservedGeneration == generation && Ready(status).Status == ConditionStatus.True);

    protected async Task RestartAsync()
    {
        await Agent.DisposeAsync();
        Runtime.Calls.Clear();
        Agent = NewAgent();
    }

    /// <summary>Holds an image back until the result is completed.</summary>
    protected TaskCompletionSource Withhold(string name, int version)
    {
        var arrives = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Images.Trouble[ImageOf(name, version)] = ct => arrives.Task.WaitAsync(ct);
        return arrives;
    }

    protected void RefuseImage(string name, int version) =>
        Images.Trouble[ImageOf(name, version)] = _ => throw new ImagePullException("the registry does not answer");

    private AgentUnderTest NewAgent() =>
        new(new NodeOptions { DataDir = Folder.Combine("data"), RunDir = Folder.Combine("run") }, _ => Runtime, Images, Time);
}
