using System.Text.Json;
using EdgeVirt.Cli.Flash.Cards;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Tests.Flash.Cards;

/// <summary>Batches of claim tokens: made at the hub, taken without it.</summary>
public sealed class TokenBatchTests
{
    private CardRun run = null!;

    [SetUp]
    public void Start() => run = new CardRun();

    [TearDown]
    public void Stop() => run.Dispose();

    [Test]
    public async Task A_token_is_marked_on_the_disk_before_anybody_gets_it()
    {
        var path = run.Batch(3);
        using var batch = Open(path);
        var taken = await batch.TakeAsync("oslo-17", CancellationToken.None);
        var file = JsonDocument.Parse(File.ReadAllBytes(path)).RootElement.GetProperty("tokens");
        Assert.That(taken!.Claim, Is.EqualTo("line-1"));
        Assert.That((file[0].GetProperty("usedAt").GetDateTimeOffset(), file[0].GetProperty("usedFor").GetString()), Is.EqualTo((CliRun.Now, "oslo-17")));
        Assert.That(file[1].TryGetProperty("usedAt", out _), Is.False);
        Assert.That(File.GetUnixFileMode(path), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
    }

    [Test]
    public async Task Two_that_take_at_once_never_get_the_same()
    {
        var path = run.Batch(40);
        // Each has the file open on its own, as two processes have.
        var taken = await Task.WhenAll(Enumerable.Range(0, 40).Select(n => Task.Run(async () =>
        {
            using var batch = Open(path);
            return (await batch.TakeAsync($"card {n}", CancellationToken.None))!.Claim;
        })));
        Assert.That(taken, Is.Unique.And.Length.EqualTo(40));
        await Assert.ThatAsync(() => Open(path).TakeAsync("x", CancellationToken.None), Throws.TypeOf<CliException>().With.Message.Contains("has no token left: of 40, 40 were used and 0 expired"));
    }

    [Test]
    public async Task Who_waits_for_the_lock_can_be_interrupted()
    {
        var path = run.Batch(1);
        await using var held = new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        using var interrupted = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await Assert.ThatAsync(() => Open(path).TakeAsync("x", interrupted.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(File.ReadAllText(path), Does.Not.Contain("usedAt"));
    }

    [Test]
    public async Task What_expired_is_passed_over_and_said()
    {
        var path = run.Batch(2, TimeSpan.FromHours(1));
        using var batch = Open(path);
        batch.Require(2);
        Assert.That(() => batch.Require(3), Throws.TypeOf<CliException>().With.Message.Contains("has 2 tokens for 3 cards"));
        await batch.TakeAsync("a", CancellationToken.None);
        run.Now += TimeSpan.FromHours(2);
        var fault = Assert.Throws<CliException>(() => batch.Require(1))!;
        Assert.That(fault.Message, Does.Contain("has no token for 1 card: of 2, 1 was used and 1 expired, the last 2026-11-22T19:00:00Z"));
        Assert.That(fault.ExitCode, Is.EqualTo(ExitCodes.Invalid));
        await Assert.ThatAsync(() => batch.TakeAsync("b", CancellationToken.None), Throws.TypeOf<CliException>());
    }

    [TestCase("")]
    [TestCase("{}")]
    [TestCase("[]")]
    [TestCase("""{"hub":"h:1","createdAt":"2026-11-22T18:00:00Z","tokens":[null]}""")]
    [TestCase("""{"hub":"h:1","createdAt":"2026-11-22T18:00:00Z","tokens":[{"claim":"a","token":"evc1.a.8472983.x","expiresAt":"2026-11-23T18:00:00Z"}]}""")]
    [TestCase("""{"hub":"h:1","tokens":[{"claim":"a","token":8472983}]}""")]
    public async Task What_is_no_batch_is_refused_without_repeating_it(string text)
    {
        var fault = await run.RefusedAsync(1, "--tokens", run.File("x.json", text));
        Assert.That((fault.ExitCode, fault.Message), Is.EqualTo((ExitCodes.Invalid, $"'{run.Combine("x.json")}' is no batch of tokens, or it is damaged.")));
    }

    [Test]
    public async Task Create_makes_claims_for_one_board_each()
    {
        await using var hub = await HubWithClaimsAsync();
        using var cli = new CliRun(hub);
        var path = Path.Combine(cli.Home, "batch.json");
        var outcome = await cli.RunAsync("node", "claim", "create", "line", "--count", "3", "--ttl", "30d", "--label", "site=oslo", "--output-file", path, "--hub", "hub.example.com:8444");
        Assert.That((outcome.Code, outcome.Out), Is.EqualTo((0, "")), outcome.Error);
        Assert.That(outcome.Error, Does.Contain("3 claims, line-1 to line-3, can be used once each until 2026-12-22").And.Not.Contain("evc1."));
        var specs = hub.Requests.Where(request => request.Line.StartsWith("PUT", StringComparison.Ordinal)).Select(request => request.Body).ToList();
        Assert.That(specs, Has.Count.EqualTo(3).And.All.Contains("\"maxUses\":1").And.All.Contains("\"site\":\"oslo\""));
        Assert.That(File.GetUnixFileMode(path), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));

        using var plan = await run.ReadAsync(3, "--tokens", path);
        Assert.That((await plan.IssueAsync(1, CancellationToken.None)).Claim, Is.EqualTo("line-1"), "it works without the hub");
        Assert.That(plan.For(1).Hub, Is.EqualTo("hub.example.com:8444"));

        var again = await cli.RunAsync("node", "claim", "create", "other", "--count", "1", "--output-file", path);
        Assert.That((again.Code, again.Error), Is.EqualTo((ExitCodes.Conflict, again.Error)));
        Assert.That(again.Error, Does.Contain("It may hold tokens that nobody used"));
    }

    [Test]
    public async Task What_was_made_before_a_failure_is_kept()
    {
        await using var hub = await HubWithClaimsAsync(failing: "line-3");
        using var cli = new CliRun(hub);
        var path = Path.Combine(cli.Home, "batch.json");
        var outcome = await cli.RunAsync("node", "claim", "create", "line", "--count", "5", "--output-file", path);
        Assert.That(outcome.Code, Is.Not.Zero);
        Assert.That(outcome.Error, Does.Contain("2 of 5 claims were made before this failed"));
        new TokenBatch(path, TimeProvider.System).Dispose();
        Assert.That(JsonDocument.Parse(File.ReadAllBytes(path)).RootElement.GetProperty("tokens").GetArrayLength(), Is.EqualTo(2));
    }

    [Test]
    public async Task Bad_requests_make_no_claim()
    {
        await using var hub = await HubWithClaimsAsync(taken: "line-2");
        using var cli = new CliRun(hub);
        var file = Path.Combine(cli.Home, "batch.json");
        (string Said, string[] Args)[] cases =
        [
            ("there is a claim 'line-2' already", ["line", "--count", "2", "--output-file", file]),
            ("where shall the tokens go", ["line", "--count", "2"]),
            ("--uses and --count exclude each other", ["line", "--count", "2", "--uses", "2", "--output-file", file]),
            ("--count 0 cannot be", ["line", "--count", "0", "--output-file", file]),
            ("is no host:port", ["line", "--count", "1", "--hub", "hub", "--output-file", file]),
            ("is no name", [new string('a', 62), "--count", "1", "--output-file", file]),
            ("--hub is for batches", ["line", "--hub", "hub:8444"]),
        ];
        foreach (var (said, args) in cases)
        {
            var outcome = await cli.RunAsync(["node", "claim", "create", .. args]);
            Assert.That(outcome.Code, Is.Not.Zero);
            Assert.That(outcome.Error, Does.Contain(said));
        }

        Assert.That(hub.Lines.Where(line => line.StartsWith('P')), Is.Empty);
        Assert.That(File.Exists(file), Is.False);
    }

    private TokenBatch Open(string path) => new(path, new Clock(this));

    private static async Task<FakeHub> HubWithClaimsAsync(string? failing = null, string? taken = null)
    {
        var hub = await FakeHub.StartAsync();
        var list = new Contracts.Api.ResourceList { ResourceVersion = 1, Items = taken is null ? [] : [new Resource { Kind = "BoardClaim", Metadata = new Metadata { Name = taken }, Spec = JsonDocument.Parse("{}").RootElement }] };
        hub.Answer("GET /api/v1/boardclaims", JsonSerializer.Serialize(list, ContractsJson.Default.ResourceList));
        hub.AnswerAny("PUT", async context =>
        {
            var isFailing = failing is not null && context.Request.Path.Value!.EndsWith(failing, StringComparison.Ordinal);
            context.Response.StatusCode = isFailing ? 500 : 200;
            await context.Response.Body.WriteAsync(isFailing ? """{"code":"Internal","message":"no"}"""u8.ToArray() : System.Text.Encoding.UTF8.GetBytes(hub.Requests.Last().Body));
        });
        hub.AnswerAny("POST", async context =>
        {
            var claim = context.Request.Path.Value!.Split('/')[4];
            var issued = new Contracts.Api.ClaimTokenIssued(CardRun.Token(claim), CliRun.Now.AddDays(30));
            await context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(issued, ContractsJson.Default.ClaimTokenIssued));
        });
        return hub;
    }

    private sealed class Clock(TokenBatchTests test) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => test.run.Now;
    }
}
