using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace EdgeVirt.Cli.Tests.Commands;

/// <summary>Machines that are switched on and off, at a hub whose one node does at once as it is told.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class PowerTests
{
    private const string Path = "/api/v1/virtualmachines/guest";

    private readonly List<string> stated = [];
    private FakeHub hub = null!;
    private CliRun cli = null!;
    private JsonObject machine = null!;
    private int conflicts;
    private bool isStuck;

    [SetUp]
    public async Task Start()
    {
        hub = await FakeHub.StartAsync();
        cli = new CliRun(hub);
        machine = JsonNode.Parse("""
            {"apiVersion":"edgevirt.io/v1","kind":"VirtualMachine","metadata":{"name":"guest","labels":{"site":"oslo"},"generation":3,"resourceVersion":7},"spec":{"memory":{"size":"512Mi"},"cpu":{"cores":2}}}
            """)!.AsObject();
        hub.Answer($"GET {Path}", context => context.Response.WriteAsync(WithStatus().ToJsonString()));
        hub.Answer($"PUT {Path}", async context =>
        {
            if (conflicts-- > 0)
            {
                context.Response.StatusCode = StatusCodes.Status409Conflict;
                await context.Response.WriteAsync("""{"code":"Conflict","message":"somebody else was faster"}""");
                return;
            }

            machine = JsonNode.Parse(hub.Requests.Last().Body)!.AsObject();
            stated.Add(machine["spec"]!["power"]!.GetValue<string>());
            machine["metadata"]!["generation"] = machine["metadata"]!["generation"]!.GetValue<long>() + 1;
            await context.Response.WriteAsync(machine.ToJsonString());
        });
    }

    [TearDown]
    public async Task Stop()
    {
        cli.Dispose();
        await hub.DisposeAsync();
    }

    [TestCase("start", "Stopped", "Running")]
    [TestCase("stop", null, "Stopped")]
    [TestCase("stop", "Paused", "Stopped")]
    [TestCase("pause", "Running", "Paused")]
    [TestCase("resume", "Paused", "Running")]
    public async Task States_what_it_is_to_be_and_leaves_all_else(string verb, string? from, string to)
    {
        Power(from);
        var before = machine.DeepClone().AsObject();
        conflicts = 2;
        var outcome = await cli.RunAsync("vm", verb, "guest", "--wait");
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        Assert.That(outcome.Out, Does.StartWith($"VirtualMachine/guest is now to be {to}\n").And.Contain($"is {(to == "Running" ? "Ready" : to)} after"));
        before["spec"]!["power"] = to;
        Assert.That(machine["spec"]!.ToJsonString(), Is.EqualTo(before["spec"]!.ToJsonString()));
        Assert.That(machine["metadata"]!["labels"]!.ToJsonString(), Is.EqualTo("""{"site":"oslo"}"""));
        Assert.That(machine["metadata"]!["resourceVersion"]!.GetValue<long>(), Is.EqualTo(7), "a change of somebody else's is not overwritten");
    }

    [Test]
    public async Task Restarts_by_both()
    {
        var outcome = await cli.RunAsync("vm", "restart", "guest");
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        Assert.That(stated, Is.EqualTo((string[])["Stopped", "Running"]));
        Assert.That(outcome.Out, Does.Contain("is Stopped after").And.Contain("is Ready after"));
    }

    [Test]
    public async Task A_restart_starts_one_that_is_off()
    {
        Power("Stopped");
        var outcome = await cli.RunAsync("vm", "restart", "guest");
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        Assert.That(stated, Is.EqualTo((string[])["Running"]));
    }

    [Test]
    public async Task A_restart_that_nobody_waits_for_any_more_leaves_no_machine_off()
    {
        isStuck = true;
        var outcome = await cli.RunAsync("vm", "restart", "guest", "--timeout", "1s");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Timeout));
        Assert.That(stated, Is.EqualTo((string[])["Stopped", "Running"]));
    }

    [TestCase("start", "Paused", "resume guest")]
    [TestCase("pause", "Stopped", "start guest")]
    [TestCase("resume", "Stopped", "start guest")]
    [TestCase("restart", "Paused", "resume guest")]
    public async Task Says_which_verb_is_meant(string verb, string from, string words)
    {
        Power(from);
        var outcome = await cli.RunAsync("vm", verb, "guest");
        Assert.That((outcome.Code, outcome.Out), Is.EqualTo((ExitCodes.Conflict, "")));
        Assert.That(outcome.Error, Does.Contain($"is to be {from}").And.Contain(words));
        Assert.That(stated, Is.Empty);
    }

    [Test]
    public async Task What_it_is_already_is_no_fault_and_no_change()
    {
        var outcome = await cli.RunAsync("vm", "start", "guest");
        Assert.That((outcome.Code, outcome.Out), Is.EqualTo((0, "VirtualMachine/guest is already to be Running\n")));
        Assert.That(stated, Is.Empty);
        Assert.That((await cli.RunAsync("vm", "stop", "other")).Code, Is.EqualTo(ExitCodes.NotFound));
    }

    private void Power(string? power)
    {
        if (power is not null)
        {
            machine["spec"]!["power"] = power;
        }
    }

    private JsonObject WithStatus()
    {
        var told = machine.DeepClone().AsObject();
        var power = isStuck ? "Running" : told["spec"]!["power"]?.GetValue<string>() ?? "Running";
        told["status"] = JsonNode.Parse($$"""
            {"desiredInstances":1,"readyInstances":{{(power == "Running" ? 1 : 0)}},"instances":[{"node":"n1","observedGeneration":{{told["metadata"]!["generation"]}},"state":"{{power}}",
              "conditions":[{"type":"Ready","status":"{{(power == "Running" ? "True" : "False")}}","reason":"Ready"}]}],"conditions":[]}
            """);
        return told;
    }
}
