using System.Collections;
using System.CommandLine;
using EdgeVirt.Cli.Compose;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Manifests;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt import compose FILE</c>.</summary>
internal static class ImportCommand
{
    private static readonly Argument<string> Source = new("file") { Description = "A Compose file" };
    private static readonly Option<string?> OutputFile = new("--output-file") { Description = "Where the manifests go instead of standard output", HelpName = "file" };
    private static readonly Option<string?> ProjectName = new("--project-name") { Description = "Instead of the file's 'name' or its folder's", HelpName = "name" };
    private static readonly Option<bool> AllowLoss = new("--allow-loss") { Description = "Write the manifests also if something cannot be carried over" };

    public static Command Create(Terminal terminal)
    {
        var compose = new Command("compose", "Turns a Compose file into manifests, and names what cannot be carried over") { Source, OutputFile, ProjectName, AllowLoss };
        compose.Does(terminal, RunAsync);
        return new Command("import", "Turns files of other tools into manifests") { compose };
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        var (path, findings) = (invocation.Get(Source), new ComposeFindings());
        if (!File.Exists(path))
        {
            throw new CliException(ExitCodes.NotFound, $"there is no file '{path}'.", "Give the path of a Compose file.");
        }

        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var yaml = ComposeImport.Convert(await File.ReadAllTextAsync(path, ct), folder, invocation.Get(ProjectName), Variables(folder), findings);
        foreach (var finding in findings.All.Where(finding => finding.IsLoss || !invocation.Quiet))
        {
            await invocation.Terminal.Error.WriteLineAsync(Plain.Line($"{path}:{finding.Line}: {(finding.IsLoss ? "not carried over" : "note")}: {finding.Text}"));
        }

        if (findings.HasLoss && !invocation.Get(AllowLoss))
        {
            throw new CliException(ExitCodes.Loss, "not everything can be carried over, so nothing was written.", "Change the lines above, or accept the loss with --allow-loss.");
        }

        if (Manifest.Parse(yaml).Errors is { Count: > 0 } errors)
        {
            throw new CliException(ExitCodes.Invalid, $"'{path}' leads to manifests that are not valid.", "Change what the fields below come from.") { Errors = [.. errors.Select(error => error with { Line = 0 })] };
        }

        if (invocation.Get(OutputFile) is { } target)
        {
            await File.WriteAllTextAsync(target, yaml, ct);
        }
        else
        {
            invocation.Terminal.Out.Write(yaml);
        }

        return ExitCodes.Ok;
    }

    /// <summary>.env beside the file; what the environment says goes before it.</summary>
    private static Dictionary<string, string> Variables(string folder)
    {
        var file = Path.Combine(folder, ".env");
        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in File.Exists(file) ? ComposeText.Variables(File.ReadAllText(file)) : [])
        {
            variables[key] = value;
        }

        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            variables[(string)variable.Key] = (string?)variable.Value ?? "";
        }

        return variables;
    }
}
