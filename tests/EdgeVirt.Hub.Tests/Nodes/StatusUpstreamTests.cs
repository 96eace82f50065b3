using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Broker;
using EdgeVirt.Hub.Enrollment;
using EdgeVirt.Hub.Nodes;
using EdgeVirt.Hub.Scheduling;
using Google.Protobuf;

namespace EdgeVirt.Hub.Tests.Nodes;

internal sealed class StatusUpstreamTests
{
    private NodeHub hub = null!;
    private NodeClient node = null!;
    private IUpstream upstream = null!;
    private NodeConnection connection = null!;

    [SetUp]
    public async Task SetUp()
    {
        hub = await NodeHub.StartAsync();
        node = await hub.EnrollAsync("n1");
        upstream = hub.Get<IEnumerable<IUpstream>>().Single(channel => channel.Channel == TopicChannel.Status);
        connection = new NodeConnection(hub.Get<NodeIdentities>().Find("n1")!);
    }

    [TearDown]
    public async Task TearDown()
    {
        await node.DisposeAsync();
        await hub.DisposeAsync();
    }

    [Test]
    public async Task Merges_what_a_node_says_of_itself_and_keeps_what_is_the_hubs()
    {
        await hub.Get<NodeStatusWriter>().PresenceAsync("n1", EdgeVirt.Hub.Nodes.Presence.Online, hub.Time.GetUtcNow(), CancellationToken.None);
        var claimed = new NodeStatus
        {
            Kernel = "6.12",
            Conditions =
            [
                new Condition { Type = ConditionTypes.Ready, Status = ConditionStatus.False, Reason = ReadyReasons.Failed },
                new Condition { Type = ConditionTypes.StorageHealthy, Status = ConditionStatus.True, Reason = StorageReasons.Healthy },
            ],
        };

        await SendAsync("run", 1, full: true, NodeObject(claimed));

        var status = await hub.StatusAsync("n1");
        Assert.That(status.Kernel, Is.EqualTo("6.12"));
        Assert.That(status.LastSeen, Is.EqualTo(hub.Time.GetUtcNow()));
        Assert.That(status.Conditions.Select(condition => condition.Reason), Is.EqualTo([ReadyReasons.Ready, StorageReasons.Healthy]));
    }

    [Test]
    public async Task Takes_the_newest_sequence_of_a_run_and_never_an_older_run()
    {
        await SendAsync("a", 2, full: true, Workload("web", 2));
        await SendAsync("a", 1, full: false, Workload("web", 1));
        await SendAsync("a", 2, full: false, Workload("web", 9));
        Assert.That(Generation("web"), Is.EqualTo(2));

        await SendAsync("b", 1, full: true, Workload("web", 3));
        await SendAsync("a", 3, full: true, Workload("web", 4));
        Assert.That(Generation("web"), Is.EqualTo(3));
    }

    [Test]
    public async Task Replaces_everything_by_a_full_report_and_single_things_by_a_delta()
    {
        await SendAsync("a", 1, full: true, Workload("one", 1), Workload("two", 1));
        await SendAsync("a", 2, full: false, Workload("two", 2));
        Assert.That((Generation("one"), Generation("two")), Is.EqualTo(((long?)1, (long?)2)));

        await SendAsync("a", 3, full: true, Workload("two", 3));
        Assert.That((Generation("one"), Generation("two")), Is.EqualTo(((long?)null, (long?)3)));
    }

    [Test]
    public async Task Applies_nothing_of_a_report_that_cannot_be_read_whole()
    {
        var broken = Workload("two", 1);
        broken.StatusJson = ByteString.CopyFromUtf8("{\"containers\": 7}");

        await NodeHub.FailureAsync<PayloadRefusedException>(() => SendAsync("a", 1, full: true, Workload("one", 1), broken));
        await NodeHub.FailureAsync<PayloadRefusedException>(() => SendAsync("a", 1, full: true, Workload("Not A Name", 1)));
        await NodeHub.FailureAsync<PayloadRefusedException>(() => SendAsync("", 1, full: true, Workload("one", 1)));

        Assert.That(Generation("one"), Is.Null);
    }

    [Test]
    public async Task Keeps_machines_beside_workloads_even_of_the_same_name()
    {
        await SendAsync("a", 1, full: true, Workload("web", 1), Machine("web", 7));
        Assert.That((Generation("web"), MachineGeneration("web")), Is.EqualTo(((long?)1, (long?)7)));
        await SendAsync("a", 2, full: false, new ObjectStatus { Kind = "Workload", Name = "web", Uid = "u", Removed = true });
        Assert.That((Generation("web"), MachineGeneration("web")), Is.EqualTo(((long?)null, (long?)7)));

        var broken = Machine("web", 8);
        broken.StatusJson = ByteString.CopyFromUtf8("{\"state\": \"Flying\"}");
        var refused = await NodeHub.FailureAsync<PayloadRefusedException>(() => SendAsync("a", 3, full: false, broken));
        Assert.That(refused.Message, Does.Contain("the status of a virtual machine cannot be read"));
        var strange = Machine("web", 8);
        strange.Kind = "Config";
        await NodeHub.FailureAsync<PayloadRefusedException>(() => SendAsync("a", 3, full: false, strange));
        Assert.That(MachineGeneration("web"), Is.EqualTo(7));
    }

    private Task SendAsync(string run, ulong sequence, bool full, params ObjectStatus[] objects)
    {
        var report = new StatusReport { RunId = run, Sequence = sequence, Full = full };
        report.Objects.AddRange(objects);
        return upstream.AcceptAsync(connection, report.ToByteArray(), CancellationToken.None);
    }

    private long? Generation(string workload) =>
        hub.Get<InstanceStatuses>().Of(new PlacedKey("Workload", workload)).GetValueOrDefault("n1")?.Status?.ObservedGeneration;

    private long? MachineGeneration(string machine) =>
        hub.Get<InstanceStatuses>().Of(new PlacedKey("VirtualMachine", machine)).GetValueOrDefault("n1")?.Status?.ObservedGeneration;

    private static ObjectStatus Machine(string name, long generation) => new()
    {
        Kind = "VirtualMachine",
        Name = name,
        Uid = "u",
        StatusJson = ByteString.CopyFrom(JsonSerializer.SerializeToUtf8Bytes(
            new VirtualMachineInstanceStatus { Node = "whatever", ObservedGeneration = generation }, ContractsJson.Default.VirtualMachineInstanceStatus)),
    };

    private static ObjectStatus Workload(string name, long generation) => new()
    {
        Kind = "Workload",
        Name = name,
        Uid = "u",
        StatusJson = ByteString.CopyFrom(JsonSerializer.SerializeToUtf8Bytes(
            new WorkloadInstanceStatus { Node = "whatever", ObservedGeneration = generation }, ContractsJson.Default.WorkloadInstanceStatus)),
    };

    private static ObjectStatus NodeObject(NodeStatus status) => new()
    {
        Kind = "Node",
        Name = "n1",
        StatusJson = ByteString.CopyFrom(JsonSerializer.SerializeToUtf8Bytes(status, ContractsJson.Default.NodeStatus)),
    };
}
