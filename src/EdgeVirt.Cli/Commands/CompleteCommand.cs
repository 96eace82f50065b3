using System.CommandLine;
using EdgeVirt.Cli.Flash;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt __complete -- WORD…</c>: what may stand in place of the last word, for completion scripts.</summary>
internal static class CompleteCommand
{
    /// <summary>Says that the shell should complete file names.</summary>
    private const string FileMark = ":files";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly Argument<string[]> Words = new("words") { Arity = ArgumentArity.ZeroOrMore };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("__complete", "Answers completion scripts") { Words };
        command.Hidden = true;
        command.Does(terminal, RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        var words = invocation.Get(Words);
        var current = words.Length > 0 ? words[^1] : "";
        try
        {
            foreach (var candidate in await CandidatesAsync(invocation, words.AsSpan()[..Math.Max(0, words.Length - 1)].ToArray(), current, ct))
            {
                if (candidate.StartsWith(current, StringComparison.Ordinal) || candidate == FileMark)
                {
                    invocation.Terminal.Out.WriteLine(candidate);
                }
            }
        }
        catch (CliException)
        {
            // Completion has nothing to offer when the hub is away; an error in the middle of a prompt helps nobody.
        }

        return ExitCodes.Ok;
    }

    private static async Task<IEnumerable<string>> CandidatesAsync(Invocation invocation, string[] before, string current, CancellationToken ct)
    {
        Command command = App.CreateRoot(invocation.Terminal);
        var positional = new List<string>();
        Option? open = null;
        foreach (var word in before)
        {
            if (open is not null)
            {
                open = null;
            }
            else if (word.StartsWith('-'))
            {
                var option = UsageFault.OptionOf(command, word);
                open = option is not null && option.ValueType != typeof(bool) && !word.Contains('=', StringComparison.Ordinal) ? option : null;
            }
            else if (command.Subcommands.FirstOrDefault(sub => sub.Name == word) is { } next)
            {
                command = next;
            }
            else
            {
                positional.Add(word);
            }
        }

        return open is not null ? await ValuesAsync(invocation, open, ct)
            : current.StartsWith('-') ? UsageFault.OptionsOf(command)
            : command.Subcommands.Count > 0 ? command.Subcommands.Where(sub => !sub.Hidden).Select(sub => sub.Name)
            : await ArgumentsAsync(invocation, command, positional, ct);
    }

    private static async Task<IEnumerable<string>> ArgumentsAsync(Invocation invocation, Command command, List<string> positional, CancellationToken ct)
    {
        var first = command.Arguments.FirstOrDefault()?.Name;
        return (first, positional.Count) switch
        {
            (Kinds.ArgumentName, 0) => Kinds.Words,
            (Kinds.ArgumentName, 1) => await NamesAsync(invocation, positional[0], ct),
            (Kinds.ArgumentName, _) when command.Name == "delete" => await NamesAsync(invocation, positional[0], ct),
            ("workload", 0) => await NamesAsync(invocation, "workload", ct),
            ("machine", 0) => await NamesAsync(invocation, "virtualmachine", ct),
            ("file", 0) when command.Name == "compose" => [FileMark],
            ("image", 0) when command.Name == "flash" => [FileMark],
            ("shell", 0) => CompletionCommand.Shells,
            ("name", 0) when command.Name == "use" => Configuration.Load(invocation.Terminal).Contexts.Keys,
            _ => [],
        };
    }

    private static async Task<IEnumerable<string>> ValuesAsync(Invocation invocation, Option option, CancellationToken ct) => option.Name switch
    {
        "--output" => ["table", "json", "yaml"],
        "--context" => Configuration.Load(invocation.Terminal).Contexts.Keys,
        "--node" => await NamesAsync(invocation, "node", ct),
        "--to" => [.. invocation.Terminal.Disks.List().Where(disk => disk is { IsRemovable: true, Use: DiskUse.Free, Bytes: > 0 }).Select(disk => disk.Path), FileMark],
        "--bmap" or "--key" or "--filename" or "--token-file" or "--ca-file" or "--output-file" or "--socket" => [FileMark],
        _ => [],
    };

    private static async Task<IEnumerable<string>> NamesAsync(Invocation invocation, string word, CancellationToken ct)
    {
        if (ResourceKind.Find(word) is not { } kind || HubTarget.Find(invocation.Terminal, invocation.Server, invocation.ContextName) is not { } target)
        {
            return [];
        }

        using var hub = new HubApi(target, Patience, invocation.Terminal.Time);
        var list = await hub.GetAsync(HubPaths.Of(kind), ContractsJson.Default.ResourceList, ct);
        return list.Items.Select(item => item.Metadata.Name);
    }
}
