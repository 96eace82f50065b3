using EdgeVirt.Hub.Telemetry;

namespace EdgeVirt.Hub.Tests.Telemetry;

public sealed class TelemetryParametersTests
{
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);

    [Test]
    public void Without_parameters_it_is_the_last_hour_of_everything()
    {
        var read = TelemetryParameters.TryRead([], Now, out var fault)!;
        Assert.That(fault, Is.Null);
        Assert.That((read.From, read.To, read.Step, read.Limit, read.Node, read.Metric), Is.EqualTo((Now.AddHours(-1), Now, (TimeSpan?)null, 1000, (string?)null, (string?)null)));
    }

    [Test]
    public void Reads_every_parameter()
    {
        var read = Read("node=n1&metric=system.uptime&attr.workload=web&attr.container=main&from=2026-05-01T00:00:00Z&to=15m&step=5m&limit=10", out var fault)!;
        Assert.That(fault, Is.Null);
        Assert.That((read.Node, read.Metric, read.Limit, read.Step), Is.EqualTo(("n1", "system.uptime", 10, (TimeSpan?)TimeSpan.FromMinutes(5))));
        Assert.That((read.From, read.To), Is.EqualTo((new DateTimeOffset(2026, 5, 1, 0, 0, 0, TimeSpan.Zero), Now.AddMinutes(-15))));
        Assert.That(read.Attributes, Is.EqualTo(new Dictionary<string, string> { ["workload"] = "web", ["container"] = "main" }));
    }

    [TestCase("limit=0", "limit")]
    [TestCase("limit=100001", "limit")]
    [TestCase("limit=ten", "limit")]
    [TestCase("step=0s", "step")]
    [TestCase("step=5", "step")]
    [TestCase("step=5weeks", "step")]
    [TestCase("step=99999999999d", "step")]
    [TestCase("from=yesterday", "from")]
    [TestCase("from=2026-13-01T00:00:00Z", "from")]
    [TestCase("to=never", "to")]
    [TestCase("from=1h&to=2h", "from")]
    [TestCase("node=", "node")]
    [TestCase("metrik=x", "metrik")]
    [TestCase("attr.=x", "attr.")]
    [TestCase("attr.a\"b=x", "attr.a\"b")]
    [TestCase("node=a&node=b", "node")]
    public void A_fault_names_its_parameter(string query, string parameter)
    {
        Assert.That(Read(query, out var fault), Is.Null);
        Assert.That(fault, Does.Contain($"'{parameter}'"));
    }

    private static TelemetryParameters? Read(string query, out string? fault) => TelemetryParameters.TryRead(
        query.Split('&').Select(pair => pair.Split('=', 2)).Select(pair => KeyValuePair.Create(pair[0], pair[1])), Now, out fault);
}
