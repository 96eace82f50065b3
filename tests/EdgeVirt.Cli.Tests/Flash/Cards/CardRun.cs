using System.CommandLine;
using System.Globalization;
using EdgeVirt.Cli.Commands;
using EdgeVirt.Cli.Flash.Cards;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Testing;

namespace EdgeVirt.Cli.Tests.Flash.Cards;

/// <summary>A command line with the options of cards, and files for it.</summary>
internal sealed class CardRun(FakeHub? hub = null) : IDisposable
{
    private readonly TempDirectory directory = new();

    public DateTimeOffset Now { get; set; } = CliRun.Now;

    public string Input { get; set; } = "";

    public static string Token(string claim) => ClaimToken.Create(claim, "authority"u8).Reveal();

    public string Combine(string name) => directory.Combine(name);

    public string File(string name, string content)
    {
        System.IO.File.WriteAllText(Combine(name), content);
        return Combine(name);
    }

    /// <summary>A batch of tokens <c>line-1</c>, <c>line-2</c> …</summary>
    public string Batch(int count, TimeSpan? ttl = null)
    {
        var tokens = Enumerable.Range(1, count).Select(n => new BatchToken($"line-{n}", Token($"line-{n}"), Now + (ttl ?? TimeSpan.FromDays(1)))).ToList();
        TokenBatch.Create(Combine("batch.json"), new TokenBatchContent("hub.example.com:8444", Now, tokens));
        return Combine("batch.json");
    }

    public Task<CardPlan> ReadAsync(int count, params string[] args) => CardPlan.ReadAsync(Invocation(args), count, CancellationToken.None);

    /// <summary>The fault with which a command line is refused.</summary>
    public async Task<CliException> RefusedAsync(int count, params string[] args)
    {
        try
        {
            using var plan = await ReadAsync(count, args);
        }
        catch (CliException fault)
        {
            return fault;
        }

        throw new AssertionException($"'{string.Join(' ', args)}' was not refused.");
    }

    public void Dispose() => directory.Dispose();

    private Invocation Invocation(string[] args)
    {
        var (root, flash) = (new RootCommand(), new System.CommandLine.Command("flash"));
        GlobalOptions.AddTo(root);
        foreach (var option in CardOptions.All)
        {
            flash.Add(option);
        }

        root.Add(flash);
        var parse = root.Parse(["flash", .. args]);
        Assert.That(parse.Errors, Is.Empty);
        return new Invocation(Terminal(), parse);
    }

    private Terminal Terminal()
    {
        var variables = new Dictionary<string, string?> { ["XDG_CONFIG_HOME"] = Combine("config") };
        if (hub is not null)
        {
            variables["EDGEVIRT_SERVER"] = hub.Url;
            variables["EDGEVIRT_TOKEN"] = FakeHub.Token;
            variables["EDGEVIRT_CA_FILE"] = File("ca.crt", hub.Authority.ExportCertificatePem());
        }

        return new Terminal
        {
            In = new StringReader(Input),
            Out = new StringWriter(CultureInfo.InvariantCulture),
            Error = new StringWriter(CultureInfo.InvariantCulture),
            Variable = name => variables.GetValueOrDefault(name),
            Time = new Clock(this),
        };
    }

    private sealed class Clock(CardRun run) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => run.Now;
    }
}
