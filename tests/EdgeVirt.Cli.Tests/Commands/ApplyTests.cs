namespace EdgeVirt.Cli.Tests.Commands;

public sealed class ApplyTests
{
    private const string Good = "apiVersion: edgevirt.io/v1\nkind: Config\nmetadata:\n  name: good\nspec:\n  data: {a: b}\n";
    private const string Bad = "# a comment\n\napiVersion: edgevirt.io/v1\nkind: Config\nmetadata:\n  name: bad\nspec:\n  dtaa: {a: b}\n";
    private FakeHub hub = null!;
    private CliRun cli = null!;

    [SetUp]
    public async Task Start()
    {
        hub = await FakeHub.StartAsync();
        cli = new CliRun(hub);
    }

    [TearDown]
    public async Task Stop()
    {
        cli.Dispose();
        await hub.DisposeAsync();
    }

    [Test]
    public async Task A_fault_in_one_file_names_file_and_line_and_keeps_all_back()
    {
        var good = cli.File("good.yaml", Good);
        var bad = cli.File("bad.yaml", Bad);
        var outcome = await cli.RunAsync("apply", "-f", good, "-f", bad);
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Invalid));
        Assert.That(outcome.Error, Does.StartWith($"{bad}:8: spec.dtaa: is not a field here; did you mean 'data'?\n"));
        Assert.That(outcome.Error, Does.Contain("nothing was applied"));
        Assert.That(hub.Requests, Is.Empty);
    }

    [Test]
    public async Task A_name_that_is_in_two_files_is_found_at_its_second_place()
    {
        cli.File("1.yaml", Good.TrimEnd('\n'));
        var second = cli.File("2.yaml", "---\n" + Good);
        var outcome = await cli.RunAsync("apply", "-f", cli.Home);
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Invalid));
        Assert.That(outcome.Error, Does.StartWith($"{second}:5: metadata.name: Config 'good' is in the text twice"));
    }

    [Test]
    public async Task Faults_that_only_the_hub_finds_lead_back_to_their_file()
    {
        var first = cli.File("1.yaml", Good);
        var second = cli.File("2.yaml", Good.Replace("good", "other", StringComparison.Ordinal));
        hub.Answer("POST /api/v1/apply", async context =>
        {
            var line = hub.Requests.Last().Body.Split('\n').ToList().FindIndex(text => text.Contains("name: other", StringComparison.Ordinal)) + 1;
            context.Response.StatusCode = 400;
            var body = $$"""{"code":"Invalid","message":"the manifest has faults","errors":[{"line":{{line}},"field":"metadata.name","reason":"is reserved"}]}""";
            await context.Response.Body.WriteAsync(System.Text.Encoding.UTF8.GetBytes(body));
        });
        var outcome = await cli.RunAsync("apply", "-f", first, "-f", second);
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Invalid));
        Assert.That(outcome.Error, Does.StartWith($"{second}:4: metadata.name: is reserved\n"));
    }

    [Test]
    public async Task A_single_text_travels_unchanged()
    {
        hub.Answer("POST /api/v1/apply", """{"items":[{"kind":"Config","name":"good","outcome":"created","generation":1}]}""");
        cli.Input = "# kept\n" + Good;
        var outcome = await cli.RunAsync("apply", "-f", "-", "--dry-run");
        Assert.That(outcome.Out, Is.EqualTo("Config/good created (dry run)\n"), outcome.Error);
        Assert.That(hub.Requests.Single(), Is.EqualTo(("POST /api/v1/apply?dryRun=true", cli.Input)));
    }

    [Test]
    public async Task Waits_for_the_generation_that_was_applied()
    {
        var asked = 0;
        hub.Answer("POST /api/v1/apply", """{"items":[{"kind":"Workload","name":"web","outcome":"configured","generation":2}]}""");
        hub.Answer("GET /api/v1/workloads/web", async context =>
        {
            // Ready from the generation before, at first: that must not count.
            var generation = ++asked < 2 ? 1 : 2;
            var body = $$$"""
                {"kind":"Workload","metadata":{"name":"web","generation":2},"spec":{},"status":{"desiredInstances":1,"readyInstances":1,
                 "instances":[{"node":"n","observedGeneration":{{{generation}}},"conditions":[{"type":"Ready","status":"True","reason":"Ready"}]}]} }
                """;
            await context.Response.Body.WriteAsync(System.Text.Encoding.UTF8.GetBytes(body));
        });
        var file = cli.File("web.yaml", "apiVersion: edgevirt.io/v1\nkind: Workload\nmetadata: {name: web}\nspec: {template: {containers: [{name: a, image: 'r:5000/a:1'}]}}\n");
        var outcome = await cli.RunAsync("apply", "-f", file, "--wait");
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        Assert.That(asked, Is.EqualTo(2));
        Assert.That(outcome.Out, Does.Contain("Workload/web is Ready"));
    }

    [Test]
    public async Task Waiting_ends_at_the_timeout_with_what_is_missing()
    {
        hub.Answer("POST /api/v1/apply", """{"items":[{"kind":"Workload","name":"web","outcome":"created","generation":1}]}""");
        hub.Answer("GET /api/v1/workloads/web", """
            {"kind":"Workload","metadata":{"name":"web"},"spec":{},"status":{"conditions":[{"type":"Ready","status":"False","reason":"NoMatchingNode"}]}}
            """);
        var file = cli.File("web.yaml", "apiVersion: edgevirt.io/v1\nkind: Workload\nmetadata: {name: web}\nspec: {template: {containers: [{name: a, image: 'r:5000/a:1'}]}}\n");
        var outcome = await cli.RunAsync("apply", "-f", file, "--wait", "--timeout", "1s");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Timeout));
        Assert.That(outcome.Error, Does.Contain("0/0 nodes, NoMatchingNode").And.Contain("edgevirt describe workload web"));
    }

    [Test]
    public async Task Deletes_by_name_and_says_what_was_not_there()
    {
        hub.Answer("DELETE /api/v1/configs/a", "{}");
        var outcome = await cli.RunAsync("delete", "config", "a", "b");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.NotFound));
        Assert.That(outcome.Out, Is.EqualTo("Config/a deleted\n"));
        Assert.That(outcome.Error, Does.Contain("there is no Config 'b'"));
    }

    [Test]
    public async Task Claim_create_prints_the_token_alone()
    {
        hub.Answer("PUT /api/v1/boardclaims/site", """{"kind":"BoardClaim","metadata":{"name":"site"},"spec":{}}""");
        hub.Answer("POST /api/v1/boardclaims/site/token", """{"token":"evc1.site.s.p","expiresAt":"2026-11-23T18:00:00Z"}""");
        var outcome = await cli.RunAsync("node", "claim", "create", "site", "--uses", "3", "--ttl", "2h", "--label", "site=oslo");
        Assert.That(outcome.Out, Is.EqualTo("evc1.site.s.p\n"), outcome.Error);
        Assert.That(outcome.Error, Does.Contain("3 times, until 2026-11-23T18:00:00Z").And.Contain("edgevirt node enroll").And.Not.Contain("evc1."));
        Assert.That(hub.Requests.Single(one => one.Line.StartsWith("PUT", StringComparison.Ordinal)).Body, Does.Contain("\"maxUses\":3").And.Contain("2026-11-22T20:00:00"));

        var file = Path.Combine(cli.Home, "claim.token");
        var second = await cli.RunAsync("node", "claim", "create", "site", "--output-file", file);
        Assert.That(second.Out, Is.Empty);
        Assert.That(await File.ReadAllTextAsync(file), Is.EqualTo("evc1.site.s.p\n"));
        Assert.That(File.GetUnixFileMode(file), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
    }
}
