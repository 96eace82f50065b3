using System.Text;
using System.Text.Json;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Resources;

namespace EdgeVirt.Hub.Tests.Resources;

/// <summary>What a resource store promises, whatever lies below it.</summary>
internal abstract class ResourceStoreContract
{
    protected ResourceStore Store { get; set; } = null!;

    protected static CancellationToken Soon => new CancellationTokenSource(TimeSpan.FromSeconds(20)).Token;

    /// <summary>The store as after a restart.</summary>
    protected abstract ResourceStore Reopen();

    [Test]
    public async Task Raises_the_generation_only_when_the_meaning_of_the_spec_changes()
    {
        var created = await Apply(Manifests.Workload());
        var again = await Apply(Manifests.Workload());
        var spelledOut = await Apply(Manifests.Workload(more: "    restartPolicy: Always"));
        var labelled = await Apply(Manifests.Workload(metadata: ", labels: {site: oslo}"));
        var changed = await Apply(Manifests.Workload(image: "registry.local/web:2"));
        Assert.That(
            new[] { created, again, spelledOut, labelled, changed }.Select(item => (item.Outcome, item.Generation)),
            Is.EqualTo(new[] { ("created", 1L), ("unchanged", 1L), ("unchanged", 1L), ("configured", 1L), ("configured", 2L) }));
        var web = await Get(ResourceKind.Workload, "web");
        Assert.That(web!.Metadata.Labels!["site"], Is.EqualTo("oslo"), "labels that a manifest does not mention stay");
    }

    [Test]
    public async Task Shares_one_rising_version_among_all_resources_and_keeps_it_across_a_restart()
    {
        await Apply(Manifests.Workload("a"));
        await Apply(Manifests.Config("c", "1"));
        var before = (await Store.ListAllAsync(Soon)).ResourceVersion;
        Store = Reopen();
        await Apply(Manifests.Workload("b"));
        Assert.That((await Get(ResourceKind.Workload, "b"))!.Metadata.ResourceVersion, Is.EqualTo(before + 1));
        Assert.That((await Get(ResourceKind.Workload, "a"))!.Metadata.ResourceVersion, Is.LessThan(before));
    }

    [Test]
    public async Task Gives_no_name_to_both_a_workload_and_a_machine()
    {
        await Apply(Manifests.Workload("web"));
        var refused = (await Assert.ThrowsAsync<InvalidResourceException>(() => Store.ApplyAsync([Manifests.Config("c", "1"), Manifests.Machine("web")], Soon)))!;
        var fault = refused.Errors.Single();
        Assert.That((fault.Document, fault.Field), Is.EqualTo(("VirtualMachine/web", "metadata.name")));
        Assert.That(fault.Reason, Does.StartWith("is the name of Workload/web too").And.EndsWith("choose another, or delete Workload/web first"));
        Assert.That(await Get(ResourceKind.VirtualMachine, "web"), Is.Null);
        Assert.That(await Get(ResourceKind.Config, "c"), Is.Null);

        refused = (await Assert.ThrowsAsync<InvalidResourceException>(() => Store.ApplyAsync([Manifests.Machine("both"), Manifests.Workload("both")], Soon)))!;
        Assert.That(refused.Errors.Select(error => error.Document), Is.EqualTo(new[] { "VirtualMachine/both", "Workload/both" }));
        await Store.ApplyAsync([Manifests.Machine("guest"), Manifests.Config("web", "1")], Soon);
        refused = (await Assert.ThrowsAsync<InvalidResourceException>(() => Store.ApplyAsync([Manifests.Workload("guest")], Soon)))!;
        Assert.That(refused.Errors.Single().Reason, Does.Contain("VirtualMachine/guest"));
        await Store.DeleteAsync(ResourceKind.Workload, "web", Soon);
        Assert.That((await Apply(Manifests.Machine("web"))).Outcome, Is.EqualTo("created"));
    }

    [Test]
    public async Task Refuses_workloads_that_start_after_each_other_in_a_circle_and_changes_nothing()
    {
        await Store.ApplyAsync([After("a", "b"), After("b", "elsewhere")], Soon);
        var refused = (await Assert.ThrowsAsync<InvalidResourceException>(() => Store.ApplyAsync([Manifests.Config("c", "1"), After("b", "a")], Soon)))!;
        var fault = refused.Errors.Single();
        Assert.That((fault.Document, fault.Field), Is.EqualTo(("Workload/b", "spec.template.startAfter")));
        Assert.That(fault.Reason, Does.Contain("'b' after 'a' after 'b'"));
        Assert.That(await Get(ResourceKind.Config, "c"), Is.Null);
        refused = (await Assert.ThrowsAsync<InvalidResourceException>(() => Store.ApplyAsync([After("self", "self")], Soon)))!;
        Assert.That(refused.Errors.Single().Reason, Is.EqualTo("names the workload itself"));
        await Store.ApplyAsync([After("a", "elsewhere"), After("b", "a")], Soon);

        static Resource After(string name, string other) => Manifests.Workload(name, more: $"    startAfter: [{{workload: {other}}}]");
    }

    [Test]
    public async Task Refuses_a_change_based_on_an_old_version()
    {
        await Apply(Manifests.Workload());
        var old = (await Get(ResourceKind.Workload, "web"))!;
        await Apply(Manifests.Workload(image: "registry.local/web:2"));
        var stale = old with { Spec = Manifests.Workload(image: "registry.local/web:3").Spec };
        var conflict = (await Assert.ThrowsAsync<ConflictException>(() => Store.ApplyAsync([stale], Soon)))!;
        Assert.That(conflict.Hint, Is.Not.Empty);
        Assert.That((await Get(ResourceKind.Workload, "web"))!.Metadata.Generation, Is.EqualTo(2));
    }

    [Test]
    public async Task Lets_exactly_one_of_many_concurrent_changes_of_a_version_win()
    {
        await Apply(Manifests.Workload());
        var seen = (await Get(ResourceKind.Workload, "web"))!;
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 16).Select(async i =>
        {
            try
            {
                await Store.ApplyAsync([seen with { Spec = Manifests.Workload(image: $"registry.local/web:{i + 2}").Spec }], Soon);
                return true;
            }
            catch (ConflictException)
            {
                return false;
            }
        }));
        Assert.That(outcomes.Count(won => won), Is.EqualTo(1));
    }

    [Test]
    public async Task Applies_all_documents_or_none()
    {
        await Apply(Manifests.Workload("there"));
        var before = await Store.ListAllAsync(Soon);
        await Assert.ThrowsAsync<InvalidResourceException>(
            () => Store.ApplyAsync([Manifests.Config("c", "1"), Manifests.Workload("there", "registry.local/x:9"), Manifests.Node("nobody")], Soon));
        var after = await Store.ListAllAsync(Soon);
        Assert.That(after.ResourceVersion, Is.EqualTo(before.ResourceVersion));
        Assert.That(after.Items, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Tells_what_a_dry_run_would_do_and_does_nothing()
    {
        var result = await Store.DryRunAsync([Manifests.Config("c", "1")], Soon);
        Assert.That(result.Items.Single().Outcome, Is.EqualTo("created"));
        Assert.That((await Store.ListAllAsync(Soon)).Items, Is.Empty);
    }

    [Test]
    public async Task Changes_a_status_without_touching_the_generation()
    {
        await Apply(Manifests.Workload());
        Assert.That(await SetStatus("""{"readyInstances":1}"""), Is.True);
        Assert.That(await SetStatus("""{"readyInstances":1}"""), Is.False, "an equal status is no change");
        var web = (await Get(ResourceKind.Workload, "web"))!;
        Assert.That((web.Metadata.Generation, web.Metadata.ResourceVersion), Is.EqualTo((1L, 2L)));
        await Apply(Manifests.Workload(image: "registry.local/web:2"));
        Assert.That((await Get(ResourceKind.Workload, "web"))!.Status, Is.Not.Null, "applying keeps the status");
    }

    [Test]
    public async Task Keeps_the_values_of_secrets_to_itself()
    {
        await Apply(Manifests.Secret("db", "hunter2"));
        var shown = (await Get(ResourceKind.Secret, "db"))!;
        Assert.That(shown.Spec.GetRawText(), Is.EqualTo("""{"data":{"password":""}}"""));
        Assert.That(await Reveal("db"), Is.EqualTo("hunter2"));
        Assert.That((await Apply(Manifests.Secret("db", "hunter2"))).Outcome, Is.EqualTo("unchanged"));
        Assert.That((await Apply(shown)).Outcome, Is.EqualTo("unchanged"), "what get printed can be applied again");
        Assert.That(await Reveal("db"), Is.EqualTo("hunter2"));
        Assert.That((await Apply(Manifests.Secret("db", "changed"))).Generation, Is.EqualTo(2));
        Store = Reopen();
        Assert.That(await Reveal("db"), Is.EqualTo("changed"));
    }

    [Test]
    public async Task Never_lets_a_claim_grow()
    {
        await Apply(Claim("{maxUses: 2, expiresAt: '2030-01-01T00:00:00Z'}"));
        await Assert.ThrowsAsync<InvalidResourceException>(() => Apply(Claim("{maxUses: 3, expiresAt: '2030-01-01T00:00:00Z'}")));
        await Assert.ThrowsAsync<InvalidResourceException>(() => Apply(Claim("{maxUses: 2, expiresAt: '2031-01-01T00:00:00Z'}")));
        await Apply(Claim("{maxUses: 2, expiresAt: '2030-01-01T00:00:00Z', revoked: true}"));
        await Assert.ThrowsAsync<InvalidResourceException>(() => Apply(Claim("{maxUses: 2, expiresAt: '2030-01-01T00:00:00Z'}")));
    }

    [Test]
    public async Task Watches_every_change_in_order_from_any_kept_version()
    {
        await Apply(Manifests.Workload());
        await Apply(Manifests.Workload(image: "registry.local/web:2"));
        await Apply(Manifests.Config("c", "1"));
        var watching = Collect(ResourceKind.Workload, 1, null, 3);
        await Store.DeleteAsync(ResourceKind.Workload, "web", Soon);
        await Apply(Manifests.Workload());
        Assert.That(await watching, Is.EqualTo(new[] { (WatchEventType.Modified, 2L), (WatchEventType.Deleted, 4L), (WatchEventType.Added, 5L) }));
    }

    [Test]
    public async Task Shows_a_watch_by_labels_what_enters_and_leaves_its_selection()
    {
        await Apply(Manifests.Workload());
        await Apply(Manifests.Workload(metadata: ", labels: {site: oslo}"));
        await Apply(Manifests.Workload(image: "registry.local/web:2"));
        await Apply(Manifests.Workload(metadata: ", labels: {site: bergen}", image: "registry.local/web:2"));
        var events = await Collect(ResourceKind.Workload, 0, new Dictionary<string, string> { ["site"] = "oslo" }, 3);
        Assert.That(events, Is.EqualTo(new[] { (WatchEventType.Added, 2L), (WatchEventType.Modified, 3L), (WatchEventType.Deleted, 4L) }));
    }

    [Test]
    public async Task Says_that_a_version_is_too_old_to_watch_from()
    {
        for (var i = 0; i < 300; i++)
        {
            await Apply(Manifests.Config("c", $"v{i}"));
        }

        await Assert.ThrowsAsync<GoneException>(() => Collect(null, 1, null, 1));
        await Assert.ThrowsAsync<GoneException>(() => Collect(null, 10_000, null, 1));
        Assert.That(await Collect(null, 299, null, 1), Is.EqualTo(new[] { (WatchEventType.Modified, 300L) }));
    }

    protected async Task<AppliedResource> Apply(Resource resource) => (await Store.ApplyAsync([resource], Soon)).Items.Single();

    private static Resource Claim(string spec) =>
        Manifests.One($"{{apiVersion: edgevirt.io/v1, kind: BoardClaim, metadata: {{name: field}}, spec: {spec}}}");

    private Task<Resource?> Get(ResourceKind kind, string name) => Store.GetAsync(kind, name, Soon);

    private Task<bool> SetStatus(string json) =>
        Store.UpdateStatusAsync(ResourceKind.Workload, "web", _ => JsonDocument.Parse(json).RootElement, Soon);

    private async Task<string> Reveal(string name) => Encoding.UTF8.GetString((await Store.RevealSecretAsync(name, Soon))!["password"]);

    private async Task<List<(WatchEventType, long)>> Collect(ResourceKind? kind, long from, IReadOnlyDictionary<string, string>? labels, int count)
    {
        var events = new List<(WatchEventType, long)>();
        await foreach (var one in Store.WatchAsync(kind, from, labels, Soon))
        {
            events.Add((one.Type, one.ResourceVersion));
            if (events.Count == count)
            {
                break;
            }
        }

        return events;
    }
}
