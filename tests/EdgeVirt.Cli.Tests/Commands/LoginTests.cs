namespace EdgeVirt.Cli.Tests.Commands;

public sealed class LoginTests
{
    private FakeHub hub = null!;
    private CliRun cli = null!;
    private string tokenFile = "";

    [SetUp]
    public async Task Start()
    {
        hub = await FakeHub.StartAsync();
        hub.Answer("GET /api/v1/nodes", """{"resourceVersion":1,"items":[]}""");
        cli = new CliRun();
        tokenFile = cli.File("token", FakeHub.Token + "\n");
    }

    [TearDown]
    public async Task Stop()
    {
        cli.Dispose();
        await hub.DisposeAsync();
    }

    [Test]
    public async Task Stores_what_proved_right_for_its_owner_alone()
    {
        var outcome = await cli.RunAsync("login", "--server", hub.Url, "--token-file", tokenFile, "--ca-fingerprint", hub.Fingerprint);
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        Assert.That(outcome.Out + outcome.Error, Does.Not.Contain(FakeHub.Token));
        Assert.That(File.GetUnixFileMode(cli.ConfigFile), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        Assert.That((await cli.RunAsync("get", "nodes")).Code, Is.Zero, "the stored context is used");
    }

    [Test]
    public async Task Refuses_an_unknown_hub_when_nobody_can_be_asked()
    {
        var outcome = await cli.RunAsync("login", "--server", hub.Url, "--token-file", tokenFile);
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Usage));
        Assert.That(outcome.Error, Does.Contain(hub.Fingerprint).And.Contain("--ca-fingerprint"));
        Assert.That(hub.Requests, Is.Empty);
        Assert.That(File.Exists(cli.ConfigFile), Is.False);
    }

    [TestCase("y\n", ExitCodes.Ok)]
    [TestCase("\n", ExitCodes.Failure)]
    public async Task Asks_a_person_about_an_unknown_hub(string answer, int expected)
    {
        cli.AtTerminal = true;
        cli.Input = answer;
        var outcome = await cli.RunAsync("login", "--server", hub.Url, "--token-file", tokenFile);
        Assert.That(outcome.Code, Is.EqualTo(expected), outcome.Error);
        Assert.That(outcome.Error, Does.Contain(hub.Fingerprint));
        Assert.That(File.Exists(cli.ConfigFile), Is.EqualTo(expected == ExitCodes.Ok));
    }

    [Test]
    public async Task Refuses_another_fingerprint()
    {
        var outcome = await cli.RunAsync("login", "--server", hub.Url, "--token-file", tokenFile, "--ca-fingerprint", "sha256:" + new string('0', 64));
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Unreachable));
        Assert.That(hub.Requests, Is.Empty);
    }

    [Test]
    public async Task Stores_nothing_when_the_token_is_wrong()
    {
        cli.Input = "wrong";
        var outcome = await cli.RunAsync("login", "--server", hub.Url, "--token-stdin", "--ca-fingerprint", hub.Fingerprint);
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Unauthorized));
        Assert.That(File.Exists(cli.ConfigFile), Is.False);
    }

    [Test]
    public async Task Keeps_several_contexts()
    {
        foreach (var name in new[] { "one", "two" })
        {
            await cli.RunAsync("login", "--context", name, "--server", hub.Url, "--token-file", tokenFile, "--ca-file", cli.File("ca.crt", hub.Authority.ExportCertificatePem()));
        }

        Assert.That((await cli.RunAsync("context", "use", "one")).Code, Is.Zero);
        var list = await cli.RunAsync("context", "list");
        Assert.That(list.Out, Does.Match(@"\*\s+one\s").And.Match(@"\s+two\s").And.Not.Contain(FakeHub.Token));
        Assert.That((await cli.RunAsync("get", "nodes", "--context", "three")).Code, Is.EqualTo(ExitCodes.NotFound));
    }
}
