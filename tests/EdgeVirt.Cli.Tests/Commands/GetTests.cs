using EdgeVirt.Contracts.Manifests;

namespace EdgeVirt.Cli.Tests.Commands;

public sealed class GetTests
{
    private const string Workload = """
        {"apiVersion":"edgevirt.io/v1","kind":"Workload","metadata":{"name":"web","generation":2,"resourceVersion":7,"creationTimestamp":"2026-11-22T17:56:40Z"},
         "spec":{"template":{"containers":[{"name":"nginx","image":"registry:5000/nginx:1","ports":[{"containerPort":80,"hostPort":8080}]}]}},
         "status":{"desiredInstances":2,"readyInstances":1,
           "instances":[{"node":"node-1","observedGeneration":2,"address":"10.88.0.2","containers":[{"name":"nginx","state":"Running","restartCount":1,"startedAt":"2026-11-22T17:57:00Z",
             "lastExit":{"code":137,"signal":"SIGKILL","reason":"OOMKilled","finishedAt":"2026-11-22T17:56:59Z"}}],"conditions":[{"type":"Ready","status":"True","reason":"Ready"}]},
             {"node":"node-2","observedGeneration":1,"containers":[],"conditions":[]}],
           "conditions":[{"type":"Ready","status":"False","reason":"ImagePulling","message":"node-2 pulls","lastTransitionTime":"2026-11-22T17:57:00Z"}]}}
        """;

    private const string Secret = """
        {"apiVersion":"edgevirt.io/v1","kind":"Secret","metadata":{"name":"db","creationTimestamp":"2026-11-20T18:00:00Z"},"spec":{"data":{"password":"","user":""}}}
        """;

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
    public async Task Shows_workloads_as_a_table()
    {
        hub.Answer("GET /api/v1/workloads", $$"""{"resourceVersion":9,"items":[{{Workload}}]}""");
        var outcome = await cli.RunAsync("get", "Workload");
        Assert.That(outcome.Error, Is.Empty);
        Assert.That(outcome.Out, Is.EqualTo("""
            NAME   READY   NODES           AGE     REASON
            web    1/2     node-1,node-2   3m20s   ImagePulling

            """));
    }

    [Test]
    public async Task Shows_nodes_as_a_table()
    {
        hub.Answer("GET /api/v1/nodes", """
            {"resourceVersion":9,"items":[
              {"kind":"Node","metadata":{"name":"node-1"},"spec":{"unschedulable":true},"status":{"agentVersion":"0.1.0+abc","architecture":"arm64","addresses":["10.0.0.5"],
               "lastSeen":"2026-11-22T17:59:48Z","conditions":[{"type":"Ready","status":"True","reason":"Ready"}]}},
              {"kind":"Node","metadata":{"name":"node-2"},"spec":{}}]}
            """);
        var outcome = await cli.RunAsync("get", "nodes");
        Assert.That(outcome.Out, Is.EqualTo("""
            NAME     STATUS                ARCH    VERSION   LAST SEEN   ADDRESS
            node-1   Ready,Unschedulable   arm64   0.1.0     12s ago     10.0.0.5
            node-2   NeverSeen             -       -         -           -

            """), outcome.Error);
    }

    [Test]
    public async Task Shows_claims_as_a_table()
    {
        hub.Answer("GET /api/v1/boardclaims", """
            {"resourceVersion":9,"items":[
              {"kind":"BoardClaim","metadata":{"name":"a","creationTimestamp":"2026-11-22T17:00:00Z"},"spec":{"maxUses":5},"status":{"uses":2,"nodes":["x","y"]}},
              {"kind":"BoardClaim","metadata":{"name":"b","creationTimestamp":"2026-11-22T17:00:00Z"},"spec":{"maxUses":1,"expiresAt":"2026-11-22T17:57:00Z"}},
              {"kind":"BoardClaim","metadata":{"name":"c","creationTimestamp":"2026-11-22T17:00:00Z"},"spec":{"maxUses":1,"revoked":true}}]}
            """);
        var outcome = await cli.RunAsync("get", "boardclaims");
        Assert.That(outcome.Out, Is.EqualTo("""
            NAME   USES   EXPIRES   AGE
            a      2/5    in 23h    1h
            b      0/1    3m ago    1h
            c      0/1    revoked   1h

            """), outcome.Error);
    }

    [Test]
    public async Task Describes_a_workload_with_its_exit_reasons()
    {
        hub.Answer("GET /api/v1/workloads/web", Workload);
        var outcome = await cli.RunAsync("describe", "workload", "web");
        Assert.That(outcome.Out, Does.Contain("Ready:           1 of 2 nodes"), outcome.Error);
        Assert.That(outcome.Out, Does.Contain("Ports:         80/TCP as 8080 on the node"));
        Assert.That(outcome.Out, Does.Contain("OOMKilled, SIGKILL (code 137), 2026-11-22T17:56:59Z"));
        Assert.That(outcome.Out, Does.Contain("ImagePulling   2026-11-22T17:57:00Z   node-2 pulls"));
        Assert.That(outcome.Out, Does.Contain("Created:         2026-11-22T17:56:40Z (3m20s ago)"));
    }

    [Test]
    public async Task Never_shows_more_of_a_secret_than_its_keys()
    {
        var leaking = Secret.Replace("\"\"", "\"aHVudGVyMg==\"", StringComparison.Ordinal);
        hub.Answer("GET /api/v1/secrets/db", leaking);
        foreach (var args in new[] { "describe secret db", "get secret db -o json", "get secret db -o yaml", "describe secret db -o json" })
        {
            var outcome = await cli.RunAsync(args.Split(' '));
            Assert.That(outcome.Code, Is.Zero, outcome.Error);
            Assert.That(outcome.Out, Does.Contain("password").And.Not.Contain("aHVudGVyMg"));
        }
    }

    [Test]
    public async Task A_secret_that_was_printed_cannot_be_applied_by_mistake()
    {
        hub.Answer("GET /api/v1/secrets/db", Secret);
        var printed = await cli.RunAsync("get", "secret", "db", "-o", "yaml");
        Assert.That(Manifest.Parse(printed.Out).Errors.Select(error => error.Field), Does.Contain("spec.data.password"));
    }

    [Test]
    public async Task Yaml_of_a_list_can_be_applied_again()
    {
        hub.Answer("GET /api/v1/workloads", $$"""{"resourceVersion":9,"items":[{{Workload}}]}""");
        var printed = await cli.RunAsync("get", "workloads", "-o", "yaml");
        var read = Manifest.Parse(printed.Out);
        Assert.That(read.Errors, Is.Empty);
        Assert.That(read.Resources.Single().Metadata.Name, Is.EqualTo("web"));
    }

    [Test]
    public async Task With_json_remarks_go_beside_standard_output()
    {
        hub.Answer("POST /api/v1/apply", """{"items":[{"kind":"Config","name":"c","outcome":"created","generation":1}]}""");
        var file = cli.File("c.yaml", "apiVersion: edgevirt.io/v1\nkind: Config\nmetadata: {name: c}\nspec: {data: {a: b}}\n");
        var outcome = await cli.RunAsync("apply", "-f", file, "-o", "json");
        Assert.That(System.Text.Json.JsonDocument.Parse(outcome.Out).RootElement.GetProperty("items").GetArrayLength(), Is.EqualTo(1));
        Assert.That(outcome.Error, Does.Contain("Config/c created"));
    }

    [Test]
    public async Task Watches_until_interrupted()
    {
        hub.Answer("GET /api/v1/workloads", async context =>
        {
            if (!context.Request.Query.ContainsKey("watch"))
            {
                await Microsoft.AspNetCore.Http.HttpResponseWritingExtensions.WriteAsync(context.Response, """{"resourceVersion":9,"items":[]}""");
                return;
            }

            var line = $$"""{"type":"Added","resourceVersion":10,"resource":{{Workload.ReplaceLineEndings("")}}}""";
            await Microsoft.AspNetCore.Http.HttpResponseWritingExtensions.WriteAsync(context.Response, line + "\n{\"type\":\"Bookmark\",\"resourceVersion\":11}\n");
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        using var interrupt = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        var outcome = await cli.RunAsync(interrupt.Token, "get", "workloads", "-w");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Interrupted));
        Assert.That(outcome.Out, Does.Contain("web    1/2"));
        Assert.That(hub.Lines.Last(), Does.Contain("watch=true").And.Contain("resourceVersion=9"));
    }
}
