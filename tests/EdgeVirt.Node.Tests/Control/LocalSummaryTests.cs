using System.Security.Cryptography;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Hub;
using EdgeVirt.Node.State;
using EdgeVirt.Node.Tests.Hub;
using Google.Protobuf;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Tests.Control;

public sealed class LocalSummaryTests
{
    [Test]
    public async Task Tells_of_hub_workloads_and_the_last_error()
    {
        await using var hub = await FakeHub.StartAsync();
        await using var node = new NodeFixture(hub, hub.NewToken().Reveal());
        await node.StartAsync();
        await Eventually.HoldsAsync(() => node.Get<MqttLink>().IsConnected, "the link");
        await node.Store.WriteObservedAsync(Workload("web", ConditionStatus.True, ReadyReasons.Ready, null, restarts: 3), default);
        await node.Store.WriteObservedAsync(Workload("db", ConditionStatus.False, ReadyReasons.ImagePullFailed, "no route", restarts: 0), default);
        node.Get<ILogger<LocalSummaryTests>>().Log(LogLevel.Error, default, "The disk", new IOException("is full"), (text, _) => text);

        var summary = await ReadAsync(node, new LocalSummaryQuery());
        Assert.Multiple(() =>
        {
            Assert.That((summary.Node, summary.Hub, summary.HubProblem), Is.EqualTo(("node-1", hub.Address, (string?)null)));
            Assert.That(summary.HubConnectedSince, Is.EqualTo(TimeProvider.System.GetUtcNow()).Within(TimeSpan.FromMinutes(1)));
            Assert.That(summary.Workloads.Select(one => (one.Name, one.IsReady, one.State, one.Message, one.Restarts)), Is.EqualTo(new[]
            {
                ("db", false, ReadyReasons.ImagePullFailed, "no route", 0), ("web", true, ReadyReasons.Ready, (string?)null, 3),
            }));
            Assert.That((summary.LastError!.Source, summary.LastError.Message), Is.EqualTo(("LocalSummaryTests", "The disk: is full")));
            Assert.That(summary.Status.AgentVersion, Is.Not.Empty);
        });
    }

    [Test]
    public async Task Says_why_there_is_no_link()
    {
        await using var hub = await FakeHub.StartAsync();
        await using var node = new NodeFixture(hub, hub.NewToken().Reveal());
        await node.StartAsync();
        await Eventually.HoldsAsync(() => node.Get<MqttLink>().IsConnected, "the link");
        await hub.DisposeAsync();
        await Eventually.HoldsAsync(() => node.Get<MqttLink>().State.Problem is not null, "a complaint");
        var summary = await ReadAsync(node, new LocalSummaryQuery());
        Assert.That(summary.HubConnectedSince, Is.Null);
        Assert.That(summary.HubProblem, Does.Contain("localhost"));
    }

    [Test]
    public async Task Answers_at_once_when_something_changed_and_else_when_the_time_is_over()
    {
        await using var node = new NodeFixture();
        await node.StartAsync();
        var (data, _) = await LocalCall.AskAsync(node, new OpenChannel { LocalSummary = new LocalSummaryQuery() });
        var query = new LocalSummaryQuery { Known = ByteString.CopyFrom(SHA256.HashData(data)), WaitMs = 1000 };
        var began = TimeProvider.System.GetTimestamp();
        var (same, _) = await LocalCall.AskAsync(node, new OpenChannel { LocalSummary = query });
        Assert.That(same, Is.EqualTo(data));
        Assert.That(TimeProvider.System.GetElapsedTime(began), Is.GreaterThan(TimeSpan.FromMilliseconds(900)));

        query.WaitMs = 60_000;
        began = TimeProvider.System.GetTimestamp();
        var asking = ReadAsync(node, query);
        await Task.Delay(300);
        Assert.That(asking.IsCompleted, Is.False);
        await node.Store.WriteObservedAsync(Workload("web", ConditionStatus.True, ReadyReasons.Ready, null, 0), default);
        Assert.That((await asking).Workloads.Single().Name, Is.EqualTo("web"));
        Assert.That(TimeProvider.System.GetElapsedTime(began), Is.LessThan(TimeSpan.FromSeconds(20)));
    }

    private static async Task<LocalSummary> ReadAsync(NodeFixture node, LocalSummaryQuery query)
    {
        var (data, close) = await LocalCall.AskAsync(node, new OpenChannel { LocalSummary = query });
        Assert.That(close.Reason, Is.EqualTo(CloseReason.Done), close.Message);
        return JsonSerializer.Deserialize(data, ContractsJson.Default.LocalSummary)!;
    }

    private static ObservedWorkload Workload(string name, ConditionStatus status, string reason, string? message, int restarts) => new(name, $"uid-{name}", new WorkloadInstanceStatus
    {
        Node = "node-1",
        Containers = [new ContainerStatus { Name = "main", RestartCount = restarts }],
        Conditions = [new Condition { Type = ConditionTypes.Ready, Status = status, Reason = reason, Message = message }],
    });
}
