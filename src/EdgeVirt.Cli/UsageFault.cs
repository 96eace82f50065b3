using System.CommandLine;
using System.CommandLine.Parsing;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;

namespace EdgeVirt.Cli;

/// <summary>Says what is wrong with a command line, and what may have been meant.</summary>
internal static class UsageFault
{
    public static int Report(ParseResult parse, Terminal terminal)
    {
        var command = parse.CommandResult.Command;
        var path = PathOf(command);
        if (parse.Tokens.Count == 0 || (command.Subcommands.Count > 0 && parse.UnmatchedTokens.Count == 0 && StrayOption(parse) is null))
        {
            // A verb alone, as in "edgevirt node": what could follow is the answer.
            command.Parse(["--help"]).Invoke(new InvocationConfiguration { Output = terminal.Error, Error = terminal.Error });
            return ExitCodes.Usage;
        }

        if ((StrayOption(parse) ?? (parse.UnmatchedTokens is [var first, ..] ? first : null)) is { } word)
        {
            var candidates = word.StartsWith('-') ? OptionsOf(command) : command.Subcommands.Where(sub => !sub.Hidden).Select(sub => sub.Name);
            var near = Suggestion.Near(word, candidates);
            var what = word.StartsWith('-') ? "option" : command.Subcommands.Count > 0 ? "command" : "argument";
            terminal.Fail(
                $"'{path}' knows no {what} '{word}'.",
                near is null ? $"See '{path} --help'." : $"Did you mean '{near}'? See '{path} --help'.");
        }
        else
        {
            terminal.Fail(parse.Errors[0].Message, $"See '{path} --help'.");
        }

        return ExitCodes.Usage;
    }

    /// <summary>A word that begins like an option and is none; the parser would take it for an argument.</summary>
    public static string? StrayOption(ParseResult parse)
    {
        var takesNext = false;
        foreach (var token in parse.Tokens)
        {
            if (token.Type == TokenType.DoubleDash)
            {
                return null;
            }

            if (token.Type == TokenType.Argument && !takesNext && token.Value.Length > 1 && token.Value.StartsWith('-'))
            {
                return token.Value;
            }

            takesNext = token.Type == TokenType.Option && OptionOf(parse.CommandResult.Command, token.Value) is { } option && option.ValueType != typeof(bool);
        }

        return null;
    }

    public static string PathOf(Command command)
    {
        var parent = command.Parents.OfType<Command>().FirstOrDefault();
        return parent is null ? "edgevirt" : $"{PathOf(parent)} {command.Name}";
    }

    /// <summary>Options of a command and of those above it.</summary>
    public static IEnumerable<string> OptionsOf(Command command)
    {
        var own = command.Options.Where(option => !option.Hidden).Select(option => option.Name);
        var parent = command.Parents.OfType<Command>().FirstOrDefault();
        return parent is null ? own : own.Concat(OptionsOf(parent)).Distinct();
    }

    /// <summary>The option of a command, or of one above it, that a word names.</summary>
    public static Option? OptionOf(Command command, string word)
    {
        var name = word.Split('=')[0];
        return command.Options.FirstOrDefault(option => option.Name == name || option.Aliases.Contains(name)) ??
            (command.Parents.OfType<Command>().FirstOrDefault() is { } parent ? OptionOf(parent, word) : null);
    }
}
