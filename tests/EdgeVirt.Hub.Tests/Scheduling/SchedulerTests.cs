using System.Text;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Scheduling;

namespace EdgeVirt.Hub.Tests.Scheduling;

internal sealed class SchedulerTests : SchedulerFixture
{
    private const string UsesSecret = "      env: [{name: P, valueFrom: {secretKeyRef: {name: db, key: password}}}]";

    private const string Publishes = "      ports: [{containerPort: 80, hostPort: 8080}]";

    [Test]
    public async Task Gives_each_node_a_document_whose_revision_rises_only_with_its_content()
    {
        await Enroll("a", "{site: oslo}");
        await Enroll("b", "{site: bergen}");
        await Apply(Manifests.Workload(more: "  placement: {nodeSelector: {site: oslo}}"));
        var (a, b) = (await Revision("a"), await Revision("b"));
        Assert.That(NodeDocument.FromBytes(a.Document).Workloads.Single().Name, Is.EqualTo("web"));
        Assert.That(NodeDocument.FromBytes(b.Document).Workloads, Is.Empty);
        Assert.That(a.Digest, Is.EqualTo(NodeDocument.DigestOf(a.Document)));

        var poked = new List<string>();
        using var subscription = Revisions.Subscribe(poked.Add);
        await Apply(Manifests.Workload(image: "registry.local/web:2", more: "  placement: {nodeSelector: {site: oslo}}"));
        Assert.That((await Revision("a")).Revision, Is.EqualTo(a.Revision + 1));
        Assert.That((await Revision("b")).Revision, Is.EqualTo(b.Revision));
        Assert.That(poked, Is.EqualTo(new[] { "a" }));
    }

    [Test]
    public async Task Sends_only_the_secrets_that_a_node_needs_and_seals_documents_at_rest()
    {
        await Enroll("a");
        await Apply(Manifests.Secret("db", "hunter2-plain-text"));
        await Apply(Manifests.Secret("other", "not-for-a"));
        await Apply(Manifests.Workload(more: UsesSecret));
        var document = NodeDocument.FromBytes((await Revision("a")).Document);
        Assert.That(document.Secrets.Select(secret => (secret.Name, Encoding.UTF8.GetString(secret.Data["password"]))), Is.EqualTo(new[] { ("db", "hunter2-plain-text") }));
        CloseHub();
        foreach (var file in Directory.GetFiles(Files.Path))
        {
            Assert.That(Encoding.Latin1.GetString(await File.ReadAllBytesAsync(file, Soon)), Does.Not.Contain("hunter2-plain-text"), file);
        }

        OpenHub();
    }

    [Test]
    public async Task Reports_a_reference_that_is_missing_and_still_sends_the_workload()
    {
        await Enroll("a");
        await Apply(Manifests.Secret("db", "x"));
        await Apply(Manifests.Workload(more: UsesSecret));
        var before = await Revision("a");
        await Store.DeleteAsync(ResourceKind.Secret, "db", Soon);
        await PassAsync();
        Assert.That((await ReadyOf("web")).Reason, Is.EqualTo(ReadyReasons.ReferenceMissing));
        var after = await Revision("a");
        Assert.That(after.Revision, Is.EqualTo(before.Revision + 1));
        Assert.That(NodeDocument.FromBytes(after.Document).Workloads, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Says_that_no_node_matches()
    {
        await Enroll("a");
        await Apply(Manifests.Workload(more: "  placement: {nodeSelector: {site: nowhere}}"));
        Assert.That((await ReadyOf("web")).Reason, Is.EqualTo(ReadyReasons.NoMatchingNode));
    }

    [Test]
    public async Task Says_who_has_the_port_and_places_the_waiting_one_when_the_holder_goes()
    {
        await Enroll("a");
        await Enroll("b");
        await Apply(Manifests.Workload("web", more: Publishes));
        await Apply(Manifests.Workload("late", more: Publishes));
        var late = await ReadyOf("late");
        Assert.That((late.Status, late.Reason), Is.EqualTo((ConditionStatus.False, ReadyReasons.PortTaken)));
        Assert.That(late.Message, Does.StartWith("Placed on 0 of 2: node port 8080/TCP is published by workload 'web' on a, b. Choose another port"));
        Assert.That(WorkloadsOf(await Revision("a")), Is.EqualTo(new[] { "web" }));

        await Apply(Manifests.Workload("last", more: Publishes));
        await Store.DeleteAsync(ResourceKind.Workload, "web", Soon);
        await PassAsync();
        Assert.That(WorkloadsOf(await Revision("a")), Is.EqualTo(new[] { "late" }));
        Assert.That((await ReadyOf("late")).Reason, Is.EqualTo(ReadyReasons.Pending));
        Assert.That((await ReadyOf("last")).Message, Does.Contain("'late' on a, b"), "who still waits is told of the new holder");
    }

    [Test]
    public async Task Keeps_the_holder_of_a_port_when_an_older_workload_was_edited_to_it_during_a_restart()
    {
        await Enroll("a");
        await Apply(Manifests.Workload("edited"));
        await Apply(Manifests.Workload("holder", more: Publishes));
        await Store.ApplyAsync([Manifests.Workload("edited", more: Publishes)], Soon);
        CloseHub();
        OpenHub();
        await PassAsync();
        Assert.That(WorkloadsOf(await Revision("a")), Is.EqualTo(new[] { "holder" }));
        Assert.That((await ReadyOf("edited")).Reason, Is.EqualTo(ReadyReasons.PortTaken));
    }

    [Test]
    public async Task Puts_reports_of_nodes_together_and_counts_only_the_current_generation()
    {
        await Enroll("a");
        await Enroll("b");
        await Apply(Manifests.Workload());
        var uid = (await Store.GetAsync(ResourceKind.Workload, "web", Soon))!.Metadata.Uid!;
        await Report("a", uid, 1);
        Assert.That((await StatusOf("web")).ReadyInstances, Is.EqualTo(1));
        Assert.That((await ReadyOf("web")).Status, Is.EqualTo(ConditionStatus.False));
        await Report("b", uid, 1);
        Assert.That((await ReadyOf("web")).Status, Is.EqualTo(ConditionStatus.True));
        await Report("b", "uid-of-an-earlier-web", 1);
        Assert.That((await StatusOf("web")).ReadyInstances, Is.EqualTo(1), "a report about another resource of the name says nothing");
        await Report("b", uid, 1);
        await Presence("b", online: false);
        var web = await StatusOf("web");
        Assert.That(web.Instances.Single(one => one.Node == "b").Conditions[0].Reason, Is.EqualTo(ReadyReasons.NodeOffline));
        Assert.That(web.ReadyInstances, Is.EqualTo(1));
        await Presence("b", online: true);
        await Apply(Manifests.Workload(image: "registry.local/web:2"));
        Assert.That((await StatusOf("web")).ReadyInstances, Is.Zero);
    }

    [Test]
    public async Task Keeps_placements_reports_and_revisions_across_a_restart()
    {
        await Enroll("b");
        await Apply(Manifests.Workload(more: "  placement: {replicas: 1}"));
        var uid = (await Store.GetAsync(ResourceKind.Workload, "web", Soon))!.Metadata.Uid!;
        await Report("b", uid, 1);
        var before = await Revision("b");
        CloseHub();
        OpenHub();
        await Enroll("a");
        Assert.That((await Revision("b")).Revision, Is.EqualTo(before.Revision));
        Assert.That(NodeDocument.FromBytes((await Revision("a")).Document).Workloads, Is.Empty);
        Assert.That((await StatusOf("web")).ReadyInstances, Is.EqualTo(1));
    }

    [Test]
    public async Task Never_lets_the_revision_of_a_name_fall()
    {
        await Enroll("a");
        await Apply(Manifests.Workload());
        var before = await Revision("a");
        await Store.DeleteAsync(ResourceKind.Node, "a", Soon);
        await PassAsync();
        Assert.That(await Revisions.GetAsync("a", Soon), Is.Null);
        await Enroll("a");
        Assert.That((await Revision("a")).Revision, Is.GreaterThan(before.Revision));
    }

    private async Task Report(string node, string uid, long generation)
    {
        var ready = new Condition { Type = ConditionTypes.Ready, Status = ConditionStatus.True, Reason = ReadyReasons.Ready };
        await Instances.ReportAsync(
            node, true, [new InstanceReport(new PlacedKey("Workload", "web"), uid, new WorkloadInstanceStatus { Node = "liar", ObservedGeneration = generation, Conditions = [ready] })], Soon);
        await PassAsync();
    }

    private static IEnumerable<string> WorkloadsOf(NodeRevision revision) => NodeDocument.FromBytes(revision.Document).Workloads.Select(workload => workload.Name);
}
