using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Testing;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Node.Tests.Containers;

internal sealed class WorkloadReconcilerTests
{
    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private TempDirectory directory = null!;
    private FakeContainerRuntime runtime = null!;
    private FakeImages images = null!;
    private AgentUnderTest agent = null!;

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        runtime = new FakeContainerRuntime(time);
        images = new FakeImages();
        agent = NewAgent();
    }

    [TearDown]
    public async Task TearDown()
    {
        await agent.DisposeAsync();
        directory.Dispose();
    }

    [Test]
    public async Task Runs_what_is_desired_and_reports_it()
    {
        await agent.DesireAsync(1, Document(Workload("web")));
        var status = await agent.UntilAsync("web", IsReady);
        Assert.That(runtime.Running, Is.EqualTo(["web-uid1-main-0"]));
        Assert.That(status.Containers[0], Has.Property("State").EqualTo(ContainerState.Running).And.Property("RestartCount").EqualTo(0));
        Assert.That(status.Address, Is.Not.Null);
        Assert.That(status.ObservedGeneration, Is.EqualTo(1));
        Assert.That(status.Node, Is.EqualTo("n1"));
    }

    [Test]
    public async Task Touches_nothing_before_a_document_was_accepted()
    {
        await agent.DesireAsync(1, Document(Workload("web")));
        await agent.UntilAsync("web", IsReady);
        await agent.DisposeAsync();
        Directory.Delete(directory.Combine("data", "state"), recursive: true);
        runtime.Calls.Clear();
        agent = NewAgent();
        await agent.ReconcileAsync();
        runtime.End("web-uid1-main-0", 1);
        await agent.ReconcileAsync();
        Assert.That(runtime.Calls, Is.Empty);
    }

    [Test]
    public async Task Says_which_images_must_stay_also_while_others_are_pulled()
    {
        Assert.That(images.WhoNeeds, Is.Null, "nothing is known before the records were read");
        await agent.DesireAsync(1, Document(Workload("web")));
        await agent.UntilAsync("web", IsReady);
        var named = images.Asked.ToArray();
        Assert.That(await images.WhoNeeds!(default), Has.Property("References").EquivalentTo(named).And.Property("Digests").Not.Empty);
        await agent.DesireAsync(2, Document());
        await agent.ReconcileAsync();
        Assert.That((await images.WhoNeeds!(default)).References, Is.EquivalentTo(named), "the hub may go back to the revision before");
    }

    [Test]
    public async Task Adopts_what_runs_after_a_restart_of_the_agent()
    {
        await agent.DesireAsync(1, Document(Workload("web"), Workload("db")));
        await agent.UntilAsync("web", IsReady);
        await agent.UntilAsync("db", IsReady);
        await RestartAsync();
        await agent.ReconcileAsync();
        Assert.That(runtime.Calls, Is.Empty);
        runtime.End("db-uid1-main-0", 3);
        await agent.UntilAsync("db", status => IsReady(status) && status.Containers[0].RestartCount == 1);
        Assert.That(runtime.Running, Is.EqualTo(["db-uid1-main-1", "web-uid1-main-0"]));
    }

    [Test]
    public async Task Removes_what_is_not_desired_any_more_with_its_volumes()
    {
        await agent.DesireAsync(1, Document(Workload("web"), Workload("db")));
        await agent.UntilAsync("web", IsReady);
        await agent.DesireAsync(2, Document(Workload("db")));
        await agent.UntilGoneAsync("web");
        await agent.UntilAsync("db", IsReady);
        Assert.That(runtime.Running, Is.EqualTo(["db-uid1-main-0"]));
        Assert.That(runtime.Calls, Does.Contain("remove sandbox web-uid1 with volumes"));
        Assert.That(Directory.GetDirectories(directory.Combine("data", "containers")), Has.Length.EqualTo(1));
        Assert.That(Directory.GetDirectories(directory.Combine("data", "sandboxes")), Has.Length.EqualTo(1));
    }

    [Test]
    public async Task Removes_after_a_restart_what_ceased_to_be_desired_meanwhile()
    {
        await agent.DesireAsync(1, Document(Workload("web")));
        await agent.UntilAsync("web", IsReady);
        await agent.Store.AcceptDesiredAsync(2, Document().ToBytes(), default);
        await RestartAsync();
        await agent.UntilGoneAsync("web");
        Assert.That(runtime.Running, Is.Empty);
        Assert.That(runtime.Sandboxes, Is.Empty);
    }

    [Test]
    public async Task Waits_longer_with_each_restart_and_says_so()
    {
        await agent.DesireAsync(1, Document(Workload("web")));
        await agent.UntilAsync("web", IsReady);
        for (var attempt = 0; attempt < 12; attempt++)
        {
            runtime.End($"web-uid1-main-{attempt}", 1);
            await agent.ReconcileAsync();
            time.Advance(RestartBackoff.DelayAfter(attempt));
            await agent.UntilAsync("web", status => IsReady(status) && status.Containers[0].RestartCount == attempt + 1);
        }

        runtime.End("web-uid1-main-12", 1);
        await agent.Reconciler.SettledAsync();
        var wait = await agent.ReconcileAsync();
        Assert.That(wait, Is.EqualTo(RestartBackoff.DelayAfter(12)));
        var status = await agent.StatusAsync("web");
        Assert.That(Ready(status!).Reason, Is.EqualTo(ReadyReasons.Restarting));
        Assert.That(status!.Containers[0].LastExit!.Code, Is.EqualTo(1));

        await RestartAsync();
        await agent.ReconcileAsync();
        Assert.That(await agent.ReconcileAsync(), Is.EqualTo(RestartBackoff.DelayAfter(12)), "the count outlives the agent");
    }

    [Test]
    public async Task A_changed_config_replaces_the_container_and_keeps_volumes()
    {
        var workload = Workload("web") with { Template = Template() with { Containers = [Container() with { Env = [FromConfig("settings", "a")] }] } };
        await agent.DesireAsync(1, Document(workload) with { Configs = [Config("settings", "one")] });
        await agent.UntilAsync("web", IsReady);
        await agent.DesireAsync(2, Document(workload) with { Configs = [Config("settings", "two")] });
        await agent.UntilAsync("web", status => IsReady(status) && runtime.Environments.Values.Any(values => values[0].Value == "two"));
        Assert.That(runtime.Running, Is.EqualTo(["web-uid1-main-0"]));
        Assert.That(runtime.Calls, Does.Contain("remove sandbox web-uid1"));
        Assert.That(runtime.Environments["web-uid1-main-0"], Is.EqualTo([KeyValuePair.Create("X", "two")]));
    }

    [Test]
    public async Task A_value_that_is_missing_is_said_and_cured_by_the_next_revision()
    {
        var workload = Workload("web") with { Template = Template() with { Containers = [Container() with { Env = [FromConfig("settings", "a")] }] } };
        await agent.DesireAsync(1, Document(workload));
        var status = await agent.UntilAsync("web", status => Ready(status).Reason == ReadyReasons.ReferenceMissing);
        Assert.That(Ready(status).Message, Does.Contain("'settings'"));
        await agent.DesireAsync(2, Document(workload) with { Configs = [Config("settings", "one")] });
        await agent.UntilAsync("web", IsReady);
    }

    [Test]
    public async Task A_slow_or_refused_image_hinders_nobody_else_and_can_be_removed()
    {
        var never = new TaskCompletionSource();
        images.Trouble["r.local/slow:1"] = ct => never.Task.WaitAsync(ct);
        images.Trouble["r.local/bad:1"] = _ => throw new ImageRefusedException(ImageRefusedReason.EscapingPath, "it climbs out of its layer");
        images.Trouble["r.local/absent:1"] = _ => throw new ImagePullException("the registry does not answer");
        await agent.DesireAsync(1, Document(Workload("slow", "r.local/slow:1"), Workload("bad", "r.local/bad:1"), Workload("absent", "r.local/absent:1"), Workload("web")));
        await agent.UntilAsync("web", IsReady);
        await agent.UntilAsync("slow", status => Ready(status).Reason == ReadyReasons.ImagePulling);
        await agent.UntilAsync("bad", status => Ready(status).Reason == ReadyReasons.ImageRefused && Ready(status).Message!.Contains("climbs"));
        await agent.UntilAsync("absent", status => Ready(status).Reason == ReadyReasons.ImagePullFailed);
        await agent.DesireAsync(2, Document(Workload("web"), Workload("absent", "r.local/absent:1")));
        await agent.UntilGoneAsync("slow");
        images.Trouble.Clear();
        time.Advance(TimeSpan.FromMinutes(6));
        await agent.UntilAsync("absent", IsReady);
    }

    [Test]
    public async Task The_version_before_runs_on_until_the_next_one_can()
    {
        await agent.DesireAsync(1, Document(Workload("web")));
        await agent.UntilAsync("web", IsReady);
        var arrives = new TaskCompletionSource();
        images.Trouble["r.local/new:1"] = ct => arrives.Task.WaitAsync(ct);
        await agent.DesireAsync(2, Document(Workload("web", "r.local/new:1") with { Generation = 2 }));
        var before = await agent.UntilAsync("web", status => status.Conditions.Any(condition => condition is { Type: ConditionTypes.Progressing, Reason: ProgressingReasons.Staging }));
        Assert.That(before.ObservedGeneration, Is.EqualTo(1));
        Assert.That(runtime.Running, Is.EqualTo(["web-uid1-main-0"]));
        runtime.End("web-uid1-main-0", 1);
        await agent.UntilAsync("web", status => status.Containers[0].RestartCount == 1);
        Assert.That(runtime.Running, Is.EqualTo(["web-uid1-main-1"]), "restarts go on while the image is fetched");
        arrives.SetResult();
        var status = await agent.UntilAsync("web", status => IsReady(status) && status.ObservedGeneration == 2);
        Assert.That(status.Containers[0].ImageDigest, Is.EqualTo("sha256:new"));
    }

    [Test]
    public async Task A_start_that_fails_is_tried_again_and_explained()
    {
        runtime.FailingStarts["main"] = "exec format error";
        await agent.DesireAsync(1, Document(Workload("web")));
        var status = await agent.UntilAsync("web", status => Ready(status).Reason == ReadyReasons.StartFailed);
        Assert.That(Ready(status).Message, Does.Contain("exec format error"));
        runtime.FailingStarts.Clear();
        time.Advance(TimeSpan.FromMinutes(6));
        await agent.UntilAsync("web", IsReady);
    }

    [Test]
    public async Task A_job_that_ended_well_is_completed_and_stays_so_over_a_restart()
    {
        await agent.DesireAsync(1, Document(Workload("job") with { Template = Template() with { RestartPolicy = RestartPolicy.OnFailure } }));
        await agent.UntilAsync("job", IsReady);
        runtime.End("job-uid1-main-0", 0);
        await agent.UntilAsync("job", status => Ready(status).Reason == ReadyReasons.Completed);
        await RestartAsync();
        await agent.ReconcileAsync();
        Assert.That(runtime.Running, Is.Empty);
    }

    [Test]
    public async Task After_a_reboot_everything_is_started_again_without_the_hub()
    {
        await agent.DesireAsync(1, Document(Workload("web")));
        await agent.UntilAsync("web", IsReady);
        runtime.Reboot();
        await RestartAsync();
        var status = await agent.UntilAsync("web", status => IsReady(status) && status.Containers[0].RestartCount == 1);
        Assert.That(status.Containers[0].LastExit!.Reason, Is.EqualTo("Lost"));
        Assert.That(runtime.Sandboxes, Is.EqualTo(["web-uid1"]));
    }

    [Test]
    public async Task Limits_that_cannot_be_enforced_are_a_condition()
    {
        runtime.MissingControllers = ["cpu"];
        Assert.That(Quantity.TryParse("500m", out var half), Is.True);
        var limited = Container() with { Resources = new ResourceRequirements { Limits = new ResourceLimits { Cpu = half } } };
        await agent.DesireAsync(1, Document(Workload("web") with { Template = Template() with { Containers = [limited] } }));
        var status = await agent.UntilAsync("web", IsReady);
        var condition = status.Conditions.Single(condition => condition.Type == ConditionTypes.LimitsEnforced);
        Assert.That(condition.Status, Is.EqualTo(ConditionStatus.False));
        Assert.That(condition.Reason, Is.EqualTo(LimitsEnforcedReasons.ControllerMissing));
    }

    [TestCase(false, SeccompProfileType.RuntimeDefault, true)]
    [TestCase(false, SeccompProfileType.Unconfined, false)]
    [TestCase(true, SeccompProfileType.RuntimeDefault, false)]
    public async Task System_calls_that_cannot_be_filtered_are_a_condition(bool hasSeccomp, SeccompProfileType wanted, bool told)
    {
        runtime.HasSeccomp = hasSeccomp;
        var container = Container() with { SecurityContext = new SecurityContext { SeccompProfile = new SeccompProfile { Type = wanted } } };
        await agent.DesireAsync(1, Document(Workload("web") with { Template = Template() with { Containers = [container] } }));
        var status = await agent.UntilAsync("web", IsReady);
        Assert.That(status.Conditions.Any(condition => condition is { Type: ConditionTypes.SeccompEnforced, Status: ConditionStatus.False }), Is.EqualTo(told));
    }

    [Test]
    public async Task A_damaged_record_costs_its_container_and_nothing_else()
    {
        await agent.DesireAsync(1, Document(Workload("web"), Workload("db")));
        await agent.UntilAsync("web", IsReady);
        await agent.UntilAsync("db", IsReady);
        await agent.DisposeAsync();
        File.WriteAllText(directory.Combine("data", "containers", "web-uid1-main-0", "container.json"), "{ \"id\": ");
        agent = NewAgent();
        await agent.UntilAsync("web", IsReady);
        Assert.That(runtime.Running, Does.Contain("db-uid1-main-0").And.Contain("web-uid1-main-0"));
    }

    private static bool IsReady(WorkloadInstanceStatus status) => Ready(status).Status == ConditionStatus.True;

    private static Condition Ready(WorkloadInstanceStatus status) => status.Conditions.Single(condition => condition.Type == ConditionTypes.Ready);

    private static ContainerSpec Container(string image = "r.local/web:1") => new() { Name = "main", Image = image };

    private static PodSpec Template(string image = "r.local/web:1") => new() { Containers = [Container(image)] };

    private static DesiredWorkload Workload(string name, string image = "r.local/web:1") =>
        new() { Name = name, Uid = "uid1", Generation = 1, Template = Template(image) };

    private static EnvVar FromConfig(string name, string key) =>
        new() { Name = "X", ValueFrom = new EnvVarSource { ConfigKeyRef = new KeyRef { Name = name, Key = key } } };

    private static DesiredConfig Config(string name, string value) => new() { Name = name, Data = new Dictionary<string, string> { ["a"] = value } };

    private static NodeDocument Document(params DesiredWorkload[] workloads) => new() { Node = "n1", Workloads = workloads };

    private AgentUnderTest NewAgent() =>
        new(new NodeOptions { DataDir = directory.Combine("data"), RunDir = directory.Combine("run") }, _ => runtime, images, time);

    private async Task RestartAsync()
    {
        await agent.DisposeAsync();
        runtime.Calls.Clear();
        agent = NewAgent();
    }
}
