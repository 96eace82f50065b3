using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Probes;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>What answers of probes amount to, answer by answer.</summary>
internal sealed class ProbedRunTests
{
    private static readonly Probe Plain = new() { TcpSocket = new TcpSocketAction { Port = 80 } };

    // s: success, f: failure; the verdict after each: + ready, - failed, . nothing yet.
    [TestCase(1, 3, "s", "+")]
    [TestCase(1, 3, "f", ".")]
    [TestCase(1, 3, "fff", "..-")]
    [TestCase(1, 3, "ffsff", "..+++")]
    [TestCase(1, 3, "sffsfff", "++++++-")]
    [TestCase(1, 1, "sfsf", "+-+-")]
    [TestCase(2, 2, "sfss", "...+")]
    [TestCase(3, 1, "sssfsss", "..+---+")]
    [TestCase(1, 3, "fffff", "..---")]
    public void A_verdict_needs_answers_in_a_row(int success, int failure, string answers, string verdicts)
    {
        var state = new ProbeState(Plain with { SuccessThreshold = success, FailureThreshold = failure }, TimeSpan.Zero);
        var found = "";
        for (var i = 0; i < answers.Length; i++)
        {
            state = state.After(answers[i] == 's' ? ActionAnswer.Success : ActionAnswer.Failed("no"), At(i * 10));
            found += state.Verdict switch { true => '+', false => '-', null => '.' };
        }

        Assert.That(found, Is.EqualTo(verdicts));
    }

    [TestCase(0, 0.2, null, 10)]
    [TestCase(0, 0.2, 5, 5)]
    [TestCase(0.5, 0.6, 5, 6)]
    [TestCase(10, 31, 10, 31)]
    [TestCase(10, 31.2, 10, 32)]
    public void The_next_one_falls_on_a_whole_second_and_none_pile_up(double due, double now, int? period, double next)
    {
        var state = new ProbeState(Plain with { PeriodSeconds = period }, At(due)).After(ActionAnswer.Success, At(now));
        Assert.That(state.DueAt, Is.EqualTo(At(next)));
    }

    [Test]
    public void The_message_is_that_of_the_answer_that_decided()
    {
        var state = new ProbeState(Plain with { FailureThreshold = 2 }, TimeSpan.Zero);
        foreach (var message in (string[])["one", "two", "three"])
        {
            state = state.After(ActionAnswer.Failed(message), TimeSpan.Zero);
        }

        Assert.That(state.Message, Is.EqualTo("two"), "a status that changes with every answer would travel with every answer");
        Assert.That(state.After(ActionAnswer.Success, TimeSpan.Zero).Message, Is.Null);
    }

    [Test]
    public void Without_probes_there_is_nothing_to_do() =>
        Assert.That(ProbedRun.Of(Container(null, null, null), TimeSpan.Zero, TimeSpan.Zero, wasReady: false), Is.Null);

    [Test]
    public void The_first_one_waits_for_the_rest_of_its_initial_delay()
    {
        var spec = Container(null, Plain with { InitialDelaySeconds = 30 }, null);
        Assert.That(ProbedRun.Of(spec, At(100), At(0), false)!.Readiness!.DueAt, Is.EqualTo(At(130)));
        Assert.That(ProbedRun.Of(spec, At(100), At(20), false)!.Readiness!.DueAt, Is.EqualTo(At(110)));
        Assert.That(ProbedRun.Of(spec, At(100), At(99), false)!.Readiness!.DueAt, Is.EqualTo(At(100)));
    }

    [Test]
    public void Liveness_and_readiness_wait_for_startup()
    {
        var run = ProbedRun.Of(Container(Plain with { FailureThreshold = 30 }, Plain, Plain), TimeSpan.Zero, TimeSpan.Zero, false)!;
        Assert.That(Kinds(run), Is.EqualTo([ProbeKind.Startup]));
        Assert.That((run.IsReady, run.HasFailed, run.Complaint), Is.EqualTo((false, false, "has not passed its startup probe yet")));
        run = run.After(ProbeKind.Startup, ActionAnswer.Failed("no"), At(1));
        Assert.That((Kinds(run).Single(), run.Failure), Is.EqualTo((ProbeKind.Startup, (string?)null)));
        run = run.After(ProbeKind.Startup, ActionAnswer.Success, At(42));
        Assert.That(Kinds(run), Is.EqualTo([ProbeKind.Readiness, ProbeKind.Liveness]));
        Assert.That(run.Active.Select(probe => probe.State.DueAt), Is.All.EqualTo(At(42)), "at once");
        Assert.That(run.IsReady, Is.False, "readiness has not answered");
        Assert.That(run.After(ProbeKind.Readiness, ActionAnswer.Success, At(42)).IsReady, Is.True);
    }

    [Test]
    public void Liveness_alone_counts_as_ready_until_it_fails()
    {
        var run = ProbedRun.Of(Container(null, null, Plain with { FailureThreshold = 2 }), TimeSpan.Zero, TimeSpan.Zero, false)!;
        Assert.That((run.IsReady, run.Complaint), Is.EqualTo((true, (string?)null)));
        run = run.After(ProbeKind.Liveness, ActionAnswer.Failed("HTTP status 500"), At(1)).After(ProbeKind.Liveness, ActionAnswer.Failed("HTTP status 503"), At(2));
        Assert.That((run.IsReady, run.HasFailed, run.Failure), Is.EqualTo((false, true, "its liveness probe failed: HTTP status 503")));
        Assert.That(run.Active, Is.Empty, "it is stopped, not asked");
    }

    [Test]
    public void A_startup_that_never_comes_ends_the_run()
    {
        var run = ProbedRun.Of(Container(Plain with { FailureThreshold = 1 }, null, null), TimeSpan.Zero, TimeSpan.Zero, false)!;
        Assert.That(run.After(ProbeKind.Startup, ActionAnswer.Failed("no"), At(1)).Failure, Is.EqualTo("its startup probe failed: no"));
    }

    [Test]
    public void A_failing_readiness_stops_nothing()
    {
        var run = ProbedRun.Of(Container(null, Plain with { FailureThreshold = 1 }, null), TimeSpan.Zero, TimeSpan.Zero, false)!;
        Assert.That((run.IsReady, run.HasFailed), Is.EqualTo((false, false)), "it is too early to say");
        run = run.After(ProbeKind.Readiness, ActionAnswer.Failed("no"), At(1));
        Assert.That((run.IsReady, run.HasFailed, run.Failure, run.Complaint), Is.EqualTo((false, true, (string?)null, "fails its readiness probe: no")));
        Assert.That(Kinds(run), Is.EqualTo([ProbeKind.Readiness]));
    }

    [Test]
    public void What_was_ready_stays_so_over_a_restart_of_the_agent()
    {
        var run = ProbedRun.Of(Container(Plain, Plain, null), At(5), At(5), wasReady: true)!;
        Assert.That((run.IsReady, Kinds(run).Single()), Is.EqualTo((true, ProbeKind.Readiness)));
        Assert.That(ProbedRun.Of(Container(Plain, null, null), At(5), At(5), wasReady: true)!.Active, Is.Empty, "it has started long ago");
    }

    [TestCase("", "")]
    [TestCase("web", "0A03776562")]
    public void A_health_check_asks_in_protobuf(string service, string bytes) => Assert.That(Convert.ToHexString(GrpcHealth.BytesOf(service)), Is.EqualTo(bytes));

    [TestCase("", "UNKNOWN")]
    [TestCase("0801", "SERVING")]
    [TestCase("0802", "NOT_SERVING")]
    [TestCase("120268690803", "SERVICE_UNKNOWN")]
    [TestCase("0863", "status 99")]
    public void A_health_checks_answer_is_read(string bytes, string status) =>
        Assert.That(GrpcHealth.StatusIn(Convert.FromHexString(bytes)), Is.EqualTo(status));

    private static TimeSpan At(double seconds) => TimeSpan.FromSeconds(seconds);

    private static IEnumerable<ProbeKind> Kinds(ProbedRun run) => run.Active.Select(probe => probe.Kind);

    private static ContainerSpec Container(Probe? startup, Probe? readiness, Probe? liveness) =>
        new() { Name = "main", Image = "r.local/web:1", StartupProbe = startup, ReadinessProbe = readiness, LivenessProbe = liveness };
}
