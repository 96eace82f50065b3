using System.CommandLine;
using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli.Commands;

/// <summary>Options that every verb has.</summary>
internal static class GlobalOptions
{
    public static Option<OutputFormat> Output { get; } = CreateOutput();

    public static Option<string?> Server { get; } = new("--server", "-s") { Description = "The hub, https://host:8443", HelpName = "url", Recursive = true };

    public static Option<string?> Context { get; } = new("--context") { Description = "Which stored login to use", HelpName = "name", Recursive = true };

    public static Option<TimeSpan?> Timeout { get; } = CreateTimeout();

    public static Option<bool> Quiet { get; } = new("--quiet", "-q") { Description = "No progress and no remarks, only results and errors", Recursive = true };

    public static void AddTo(RootCommand root)
    {
        root.Add(Output);
        root.Add(Server);
        root.Add(Context);
        root.Add(Timeout);
        root.Add(Quiet);
    }

    private static Option<OutputFormat> CreateOutput()
    {
        var option = new Option<OutputFormat>("--output", "-o")
        {
            Description = "table, json or yaml; with the latter two only results go to standard output",
            HelpName = "table|json|yaml",
            Recursive = true,
            CustomParser = result =>
            {
                var word = result.Tokens[0].Value;
                if (word is "table" or "json" or "yaml")
                {
                    return word == "json" ? OutputFormat.Json : word == "yaml" ? OutputFormat.Yaml : OutputFormat.Table;
                }

                result.AddError($"'{word}' is no output; write table, json or yaml.");
                return OutputFormat.Table;
            },
        };
        return option;
    }

    private static Option<TimeSpan?> CreateTimeout()
    {
        var option = Durations.Option("--timeout", "How long to wait for an answer (30s), and with --wait for the end of it (5m)");
        option.Recursive = true;
        return option;
    }
}
