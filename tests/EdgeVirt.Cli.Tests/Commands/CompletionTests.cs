using EdgeVirt.Linux;

namespace EdgeVirt.Cli.Tests.Commands;

public sealed class CompletionTests
{
    [TestCase("bash")]
    [TestCase("zsh")]
    [TestCase("fish")]
    public async Task Scripts_are_sound(string shell)
    {
        using var cli = new CliRun();
        var outcome = await cli.RunAsync("completion", shell);
        Assert.That(outcome.Out, Does.Contain("edgevirt __complete --"));
        if (!File.Exists($"/usr/bin/{shell}") && !File.Exists($"/bin/{shell}"))
        {
            Assert.Ignore($"{shell} is not installed; its script was not checked.");
        }

        var script = cli.File("script", outcome.Out);
        await ProcessRunner.RunAsync(shell, ["-n", script], TimeSpan.FromSeconds(10));
    }

    [TestCase("|", "get|describe|logs|node")]
    [TestCase("de", "describe|delete")]
    [TestCase("get|w", "workloads")]
    [TestCase("get|workloads|", "web|worker")]
    [TestCase("get|-o|", "table|json|yaml")]
    [TestCase("-o|json|logs|wo", "worker")]
    [TestCase("node|claim|", "create")]
    [TestCase("logs|web|-n|", "node-1")]
    [TestCase("exec|-it|we", "web")]
    [TestCase("exec|web|--", "--stdin|--tty|--container|--local")]
    [TestCase("apply|-f|", ":files")]
    [TestCase("get|workloads|--wat", "--watch")]
    public async Task Offers_what_may_follow(string words, string expected)
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Answer("GET /api/v1/workloads", """{"resourceVersion":1,"items":[{"kind":"Workload","metadata":{"name":"web"},"spec":{}},{"kind":"Workload","metadata":{"name":"worker"},"spec":{}}]}""");
        hub.Answer("GET /api/v1/nodes", """{"resourceVersion":1,"items":[{"kind":"Node","metadata":{"name":"node-1"},"spec":{}}]}""");
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync(["__complete", "--", .. words.Split('|')]);
        Assert.That(outcome.Out.TrimEnd('\n').Split('\n'), Is.SupersetOf(expected.Split('|')), outcome.Error);
        Assert.That(outcome.Out, Does.Not.Contain("__complete"));
    }

    [Test]
    public async Task Is_silent_without_a_hub()
    {
        using var cli = new CliRun();
        var outcome = await cli.RunAsync("__complete", "--", "get", "workloads", "");
        Assert.That(outcome, Is.EqualTo(new CliOutcome(0, "", "")));
    }
}
