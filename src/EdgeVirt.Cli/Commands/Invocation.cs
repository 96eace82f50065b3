using System.CommandLine;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli.Commands;

/// <summary>One run of a command: its options and what they lead to.</summary>
internal sealed class Invocation(Terminal terminal, ParseResult parse)
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(30);

    public Terminal Terminal { get; } = terminal;

    public OutputFormat Format { get; } = parse.GetValue(GlobalOptions.Output);

    public bool Quiet { get; } = parse.GetValue(GlobalOptions.Quiet);

    public string? Server { get; } = parse.GetValue(GlobalOptions.Server);

    public string? ContextName { get; } = parse.GetValue(GlobalOptions.Context);

    /// <summary>--timeout, if it was given.</summary>
    public TimeSpan? GivenTimeout { get; } = parse.GetValue(GlobalOptions.Timeout);

    public TimeSpan Timeout => GivenTimeout ?? AnswerTimeout;

    public Progress Progress { get; } = new(terminal, parse.GetValue(GlobalOptions.Quiet));

    public T? Get<T>(Option<T> option) => parse.GetValue(option);

    /// <summary>Whether an option was written, rather than left to its default.</summary>
    public bool IsGiven(Option option) => parse.GetResult(option) is { Implicit: false };

    public T Get<T>(Argument<T> argument) => parse.GetValue(argument)!;

    /// <summary>For people: on standard output, or beside it where that belongs to a program.</summary>
    public void Say(string text)
    {
        if (Format == OutputFormat.Table)
        {
            Terminal.Out.WriteLine(Plain.Line(text));
        }
        else
        {
            Note(text);
        }
    }

    /// <summary>A remark on standard error.</summary>
    public void Note(string text)
    {
        if (!Quiet)
        {
            Terminal.Flush();
            Terminal.Error.WriteLine(Plain.Line(text));
        }
    }

    public HubApi Connect() => new(Target(), Timeout, Terminal.Time);

    /// <summary>The hub that is meant.</summary>
    /// <exception cref="CliException">None is known.</exception>
    public HubTarget Target() =>
        HubTarget.Find(Terminal, Server, ContextName) ?? throw new CliException(
            ExitCodes.Usage,
            "no hub is known.",
            "Run 'edgevirt login --server https://host:8443 --token-file FILE' first, or set EDGEVIRT_SERVER and EDGEVIRT_TOKEN.");

    /// <summary>Runs a call of the hub with progress.</summary>
    public Task<T> AskAsync<T>(HubApi hub, string doing, Func<CancellationToken, Task<T>> call, CancellationToken ct) =>
        Progress.WhileAsync(() => $"{doing} at {hub.Server.Authority}", call, ct);
}

/// <summary>Ties commands to what they do.</summary>
internal static class CommandActions
{
    public static void Does(this Command command, Terminal terminal, Func<Invocation, CancellationToken, Task<int>> run) =>
        command.SetAction((parse, ct) => run(new Invocation(terminal, parse), ct));
}
