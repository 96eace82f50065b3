using System.CommandLine;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli.Commands;

/// <summary>A stored login, without its token.</summary>
internal sealed record ContextOutput(string Name, string Server, bool Current);

/// <summary><c>edgevirt context</c>: the stored logins.</summary>
internal static class ContextCommand
{
    private static readonly Argument<string> Name = new("name") { Description = "Name of a stored login" };

    public static Command Create(Terminal terminal)
    {
        var list = new Command("list", "Shows the stored logins");
        list.Does(terminal, List);
        var use = new Command("use", "Makes a stored login the one that is used without --context") { Name };
        use.Does(terminal, Use);
        return new Command("context", "Shows and chooses stored logins") { list, use };
    }

    private static Task<int> List(Invocation invocation, CancellationToken ct)
    {
        var configuration = Configuration.Load(invocation.Terminal);
        var contexts = configuration.Contexts
            .Select(entry => new ContextOutput(entry.Key, entry.Value.Server, entry.Key == configuration.CurrentContext)).ToArray();
        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, contexts, CliJson.Default.ContextOutputArray);
            return Task.FromResult(ExitCodes.Ok);
        }

        var table = new TableView("CURRENT", "NAME", "SERVER");
        foreach (var context in contexts)
        {
            table.Add(context.Current ? "*" : new Cell(""), context.Name, context.Server);
        }

        table.Write(invocation.Terminal);
        return Task.FromResult(ExitCodes.Ok);
    }

    private static Task<int> Use(Invocation invocation, CancellationToken ct)
    {
        var configuration = Configuration.Load(invocation.Terminal);
        var name = invocation.Get(Name);
        if (!configuration.Contexts.ContainsKey(name))
        {
            throw new CliException(ExitCodes.NotFound, $"there is no context '{name}'.", $"There are: {string.Join(", ", configuration.Contexts.Keys)}.");
        }

        (configuration with { CurrentContext = name }).Save(invocation.Terminal);
        invocation.Say($"Context '{name}' is used from now on.");
        return Task.FromResult(ExitCodes.Ok);
    }
}
