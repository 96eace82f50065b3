using System.Text.RegularExpressions;
using EdgeVirt.Contracts.Manifests;

namespace EdgeVirt.Cli.Compose;

/// <summary>Variables in values of a Compose file: <c>$X</c>, <c>${X}</c>, <c>${X:-default}</c>, <c>${X:?message}</c>, <c>$$</c>.</summary>
internal sealed partial class Interpolation(IReadOnlyDictionary<string, string> variables, ComposeFindings findings)
{
    /// <summary>The same tree with every value expanded; keys stay as they are.</summary>
    public ManifestNode Expand(ManifestNode node) => node switch
    {
        ManifestMapping mapping => mapping with { Entries = [.. mapping.Entries.Select(entry => entry with { Value = Expand(entry.Value) })] },
        ManifestSequence sequence => sequence with { Items = [.. sequence.Items.Select(Expand)] },
        ManifestScalar scalar when scalar.Text.Contains('$', StringComparison.Ordinal) => scalar with { Text = Expand(scalar.Text, scalar.Line) },
        _ => node,
    };

    private string Expand(string text, int line) => Reference().Replace(text, match =>
    {
        if (match.Value == "$$")
        {
            return "$";
        }

        var name = match.Groups["name"].Value;
        if (name.Length == 0)
        {
            findings.Loss(line, $"'{match.Value}' is not understood as a variable; write '$$' for a dollar sign");
            return match.Value;
        }

        var value = variables.GetValueOrDefault(name);
        var (mode, word) = (match.Groups["mode"].Value, match.Groups["word"].Value);
        var isSet = mode.StartsWith(':') ? !string.IsNullOrEmpty(value) : value is not null;
        switch (mode.TrimStart(':'))
        {
            case "-":
                return isSet ? value! : word;
            case "+":
                return isSet ? word : "";
            case "?" when !isSet:
                throw new CliException(ExitCodes.Invalid, $"line {line}: the variable {name} is required: {word}", "Set it in the environment or in .env beside the file.");
            case "" when value is null:
                findings.Loss(line, $"the variable {name} is not set, so it is empty; set it in the environment or in .env beside the file");
                return "";
            default:
                return value!;
        }
    });

    [GeneratedRegex(@"\$(?:\$|(?<name>[A-Za-z_]\w*)|\{(?<name>[A-Za-z_]\w*)(?:(?<mode>:?[-+?])(?<word>[^{}]*))?\}|)")]
    private static partial Regex Reference();
}
