using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Probes;

namespace EdgeVirt.Node.Tests.Containers.Sets;

/// <summary>The next version gets ready beside the one before, and takes its ports over.</summary>
internal sealed class HandOverTests : SwitchFixture
{
    private static UpdateStrategy HandsOver => new() { Type = UpdateStrategyType.HandOver };

    [Test]
    public async Task The_one_before_stops_after_the_next_one_took_its_ports_over()
    {
        await SettleAsync(Publishing(1));
        Runtime.Calls.Clear();
        await SettleAsync(Publishing(2));
        Assert.That(
            Runtime.Calls.Where(call => !call.StartsWith("ask ", StringComparison.Ordinal)),
            Is.EqualTo([
                "sandbox web-uid1.b", "start web-uid1.b-main-0", "move ports web-uid1 to web-uid1.b",
                "stop web-uid1-main-0", "release web-uid1-main-0", "remove sandbox web-uid1 with volumes",
            ]));
        Assert.That(Agent.Records.Sandboxes.Single(), Has.Property("IsSuccessor").False.And.Property("Ports").Count.EqualTo(1));
        await SettleAsync(Publishing(3));
        Assert.That(Runtime.Sandboxes, Is.EqualTo(["web-uid1"]), "and back to the plain name");
        Assert.That(RunningVersions, Is.EqualTo(["web-3"]));
    }

    [Test]
    public async Task Until_the_next_one_is_ready_the_one_before_serves_and_is_even_restarted()
    {
        await SettleAsync(Publishing(1));
        Runtime.Answers["main"] = _ => ActionAnswer.Failed("not yet");
        await DesireAsync(Probed(2));
        var status = await UntilProgressAsync("web", ProgressingReasons.Switching);
        await UntilRunningAsync("web-1", "web-2");
        Assert.That(Ready(status).Status, Is.EqualTo(ConditionStatus.True));
        Runtime.End("web-uid1-main-0", 1);
        await Agent.UntilAsync("web", status => status.Containers[0].RestartCount == 1);
        Assert.That(RunningVersions, Is.EqualTo(["web-1", "web-2"]));
        Assert.That(Runtime.Calls, Has.None.StartWith("move"));
        Runtime.Answers.Clear();
        Time.Advance(TimeSpan.FromSeconds(10));
        await Agent.UntilAsync("web", status => status.ObservedGeneration == 2 && Ready(status).Status == ConditionStatus.True);
        await UntilRunningAsync("web-2");
    }

    [Test]
    public async Task A_next_one_that_fails_goes_and_the_one_before_never_stopped()
    {
        await SettleAsync(Publishing(1));
        Runtime.Answers["main"] = _ => ActionAnswer.Failed("connection refused");
        await DesireAsync(Probed(2));
        await UntilRunningAsync("web-1", "web-2");
        await Agent.UntilAsync("web", status => Progress(status)?.Message?.Contains("waits for 'web' to become Ready: container 'main' fails its readiness probe: connection refused") == true);
        Runtime.Calls.Clear();
        await PassTimeAsync(Deadline);
        var status = await UntilProgressAsync("web", ProgressingReasons.RolledBack);
        Assert.That(Progress(status)!.Message, Does.Contain("connection refused"));
        await UntilRunningAsync("web-1");
        Assert.That(Runtime.Calls, Has.None.Contain("web-uid1-main-0").And.None.StartWith("move"));
        Assert.That(status.Containers[0].RestartCount, Is.Zero);
    }

    [Test]
    public async Task A_next_one_that_fails_after_it_took_over_hands_back()
    {
        await SettleAsync(Publishing(1));
        await DesireAsync(Publishing(2));
        await Agent.UntilAsync("web", status => status.ObservedGeneration == 2 && Ready(status).Status == ConditionStatus.True);
        await UntilRunningAsync("web-2");
        Runtime.FailingVersions["web-2"] = "segmentation fault";
        Runtime.End("web-uid1.b-main-0", 139);
        await PassTimeAsync(TimeSpan.FromSeconds(1));
        await PassTimeAsync(Deadline);
        await UntilProgressAsync("web", ProgressingReasons.RolledBack);
        await UntilRunningAsync("web-1");
        Assert.That(Runtime.Calls, Does.Contain("move ports web-uid1.b to web-uid1"));
    }

    [Test]
    public async Task An_agent_that_starts_in_the_middle_goes_on_with_both()
    {
        await SettleAsync(Publishing(1));
        Runtime.Answers["main"] = _ => ActionAnswer.Failed("not yet");
        await DesireAsync(Probed(2));
        await UntilRunningAsync("web-1", "web-2");
        await RestartAsync();
        await Agent.ReconcileAsync();
        Assert.That(RunningVersions, Is.EqualTo(["web-1", "web-2"]));
        Assert.That(Runtime.Calls, Has.None.StartWith("stop").And.None.StartWith("start"));
        Runtime.Answers.Clear();
        Time.Advance(TimeSpan.FromSeconds(10));
        await UntilRunningAsync("web-2");
        Assert.That(Runtime.Calls, Does.Contain("move ports web-uid1 to web-uid1.b"));
    }

    [Test]
    public async Task An_agent_that_starts_after_the_record_of_a_hand_over_stops_the_one_before()
    {
        await SettleAsync(Publishing(1));
        Runtime.MoveFails = "the kernel refused";
        await DesireAsync(Publishing(2));
        await Agent.UntilAsync("web", status => Progress(status)?.Message is not null && Runtime.Calls.Contains("move ports web-uid1 to web-uid1.b"));
        var (older, newer) = (Agent.Records.FindSandbox("web-uid1")!, Agent.Records.FindSandbox("web-uid1.b")!);
        Assert.That(newer.IsSuccessor, Is.True, "what failed is taken back");
        Agent.Records.Put(newer with { IsSuccessor = false, Ports = older.Ports });
        await RestartAsync();
        await UntilRunningAsync("web-2");
        Assert.That(Runtime.Calls, Has.None.StartWith("move").And.None.StartWith("start"));
    }

    [Test]
    public async Task A_version_that_is_replaced_before_it_took_over_makes_room_for_the_next()
    {
        await SettleAsync(Publishing(1));
        Runtime.Answers["main"] = _ => ActionAnswer.Failed("not yet");
        await DesireAsync(Probed(2));
        await UntilRunningAsync("web-1", "web-2");
        Runtime.Answers.Clear();
        await DesireAsync(Publishing(3));
        await Agent.UntilAsync("web", status => status.ObservedGeneration == 3 && Ready(status).Status == ConditionStatus.True);
        await UntilRunningAsync("web-3");
        Assert.That(Runtime.Calls, Has.None.Contain("move ports web-uid1.b to web-uid1.b"));
    }

    [Test]
    public async Task A_workload_that_is_deleted_meanwhile_leaves_nothing()
    {
        await SettleAsync(Publishing(1));
        Runtime.Answers["main"] = _ => ActionAnswer.Failed("not yet");
        await DesireAsync(Probed(2));
        await UntilRunningAsync("web-1", "web-2");
        await DesireAsync();
        await Agent.UntilGoneAsync("web");
        Assert.That(Runtime.Running, Is.Empty);
        Assert.That(Runtime.Sandboxes, Is.Empty);
        Assert.That(Agent.Records.Sandboxes, Is.Empty);
    }

    private static DesiredWorkload Publishing(int version)
    {
        var plain = Workload("web", version, HandsOver);
        var port = new ContainerPort { Port = 80, HostPort = 8080 };
        return plain with { Template = plain.Template with { Containers = [plain.Template.Containers[0] with { Ports = [port] }] } };
    }

    private static DesiredWorkload Probed(int version)
    {
        var plain = Publishing(version);
        var probe = new Probe { TcpSocket = new TcpSocketAction { Port = 80 }, PeriodSeconds = 1, FailureThreshold = 1 };
        return plain with { Template = plain.Template with { Containers = [plain.Template.Containers[0] with { ReadinessProbe = probe }] } };
    }

    private async Task UntilRunningAsync(params string[] versions)
    {
        await Agent.UntilAsync("web", _ => RunningVersions.SequenceEqual(versions) && (versions.Length > 1 || Agent.Records.Sandboxes.Count == 1));
    }
}
