using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Resources;
using EdgeVirt.Hub.Scheduling;
using EdgeVirt.Hub.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Hub.Tests.Scheduling;

/// <summary>A scheduler on stores of its own, driven pass by pass.</summary>
internal abstract class SchedulerFixture
{
    private HubDatabase database = null!;
    private SecretsKey key = null!;
    private Scheduler scheduler = null!;
    private FakeTimeProvider time = null!;

    protected DataDirectory Files { get; private set; } = null!;

    protected ResourceStore Store { get; private set; } = null!;

    protected NodeRevisions Revisions { get; private set; } = null!;

    protected InstanceStatuses Instances { get; private set; } = null!;

    protected static CancellationToken Soon => new CancellationTokenSource(TimeSpan.FromSeconds(20)).Token;

    [SetUp]
    public void Open()
    {
        Files = new DataDirectory();
        time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
        OpenHub();
    }

    [TearDown]
    public void Close()
    {
        CloseHub();
        Files.Dispose();
    }

    protected void OpenHub()
    {
        database = Files.OpenDatabase();
        key = SecretsKey.Open(Files.Options.SecretsKeyFile, database);
        Store = new ResourceStore(database, key, time);
        Revisions = new NodeRevisions(database, key);
        Instances = new InstanceStatuses(database);
        scheduler = new Scheduler(Store, Revisions, Instances, time, NullLogger<Scheduler>.Instance);
    }

    protected void CloseHub()
    {
        scheduler.Dispose();
        key.Dispose();
        database.Dispose();
    }

    protected async Task PassAsync()
    {
        time.Advance(TimeSpan.FromSeconds(1));
        await scheduler.PassAsync(Soon);
    }

    protected async Task Apply(Resource resource)
    {
        await Store.ApplyAsync([resource], Soon);
        await PassAsync();
    }

    /// <summary>A node that is there, and whose agent carries out these kinds (null: it does not say).</summary>
    protected async Task Enroll(string name, string labels = "{}", params string[]? kinds)
    {
        await Store.CreateAsync(Manifests.Node(name, labels), Soon);
        await Presence(name, online: true, kinds);
    }

    protected async Task Presence(string name, bool online, params string[]? kinds)
    {
        var ready = new Condition { Type = ConditionTypes.Ready, Status = online ? ConditionStatus.True : ConditionStatus.Unknown, Reason = ReadyReasons.Ready };
        var status = new NodeStatus { BootId = "boot", Kinds = kinds is { Length: > 0 } ? kinds : null, Conditions = [ready] };
        await Store.UpdateStatusAsync(ResourceKind.Node, name, _ => JsonSerializer.SerializeToElement(status, ContractsJson.Default.NodeStatus), Soon);
        await PassAsync();
    }

    /// <summary>A node that carries out workloads alone, since what virtual machines need is not installed.</summary>
    protected async Task Lacks(string name, string what)
    {
        Condition[] conditions =
        [
            new() { Type = ConditionTypes.Ready, Status = ConditionStatus.True, Reason = ReadyReasons.Ready },
            new() { Type = ConditionTypes.RunsVirtualMachines, Status = ConditionStatus.False, Reason = RunsVirtualMachinesReasons.ProgramMissing, Message = what },
        ];
        var status = new NodeStatus { BootId = "boot", Kinds = [ResourceKind.Workload.Name], Conditions = conditions };
        await Store.UpdateStatusAsync(ResourceKind.Node, name, _ => JsonSerializer.SerializeToElement(status, ContractsJson.Default.NodeStatus), Soon);
        await PassAsync();
    }

    protected async Task<NodeRevision> Revision(string node) => (await Revisions.GetAsync(node, Soon))!;

    protected async Task<NodeDocument> Document(string node) => NodeDocument.FromBytes((await Revision(node)).Document);

    protected async Task<WorkloadStatus> StatusOf(string name) =>
        (await Store.GetAsync(ResourceKind.Workload, name, Soon))!.Status!.Value.Deserialize(ContractsJson.Default.WorkloadStatus)!;

    protected async Task<Condition> ReadyOf(string name) => (await StatusOf(name)).Conditions.Single(condition => condition.Type == ConditionTypes.Ready);
}
