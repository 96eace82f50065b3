using System.Globalization;
using System.Text.Json;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace EdgeVirt.Cli.Output;

/// <summary>Writes JSON values as YAML that reads back as the same values.</summary>
internal static class YamlOutput
{
    public static void Write(TextWriter output, JsonElement value)
    {
        var text = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        var emitter = new Emitter(text, new EmitterSettings(2, int.MaxValue, false, 1024, skipAnchorName: true, indentSequences: true));
        emitter.Emit(new StreamStart());
        emitter.Emit(new DocumentStart(null, null, isImplicit: true));
        Emit(emitter, value);
        emitter.Emit(new DocumentEnd(isImplicit: true));
        emitter.Emit(new StreamEnd());
        output.WriteLine(text.ToString().TrimEnd('\n').Replace("\n...", "", StringComparison.Ordinal));
    }

    private static void Emit(Emitter emitter, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                var empty = !value.EnumerateObject().Any();
                emitter.Emit(new MappingStart(AnchorName.Empty, TagName.Empty, true, empty ? MappingStyle.Flow : MappingStyle.Block));
                foreach (var property in value.EnumerateObject())
                {
                    EmitText(emitter, property.Name);
                    Emit(emitter, property.Value);
                }

                emitter.Emit(new MappingEnd());
                break;
            case JsonValueKind.Array:
                emitter.Emit(new SequenceStart(AnchorName.Empty, TagName.Empty, true, value.GetArrayLength() == 0 ? SequenceStyle.Flow : SequenceStyle.Block));
                foreach (var item in value.EnumerateArray())
                {
                    Emit(emitter, item);
                }

                emitter.Emit(new SequenceEnd());
                break;
            case JsonValueKind.String:
                EmitText(emitter, value.GetString()!);
                break;
            default:
                emitter.Emit(new Scalar(AnchorName.Empty, TagName.Empty, value.GetRawText(), ScalarStyle.Plain, true, false));
                break;
        }
    }

    private static void EmitText(Emitter emitter, string text)
    {
        var style = IsPlainBlock(text) ? ScalarStyle.Literal
            : NeedsQuotes(text) ? ScalarStyle.DoubleQuoted
            : ScalarStyle.Plain;
        emitter.Emit(new Scalar(AnchorName.Empty, TagName.Empty, text, style, true, true));
    }

    /// <summary>Lines that stand in a file as they are; white space in odd places goes into quotes instead.</summary>
    private static bool IsPlainBlock(string text)
    {
        var lines = text.Split('\n');
        return lines.Length > 1 && lines[0].Length > 0 && !char.IsWhiteSpace(text[0]) && (lines[^1].Length > 0 || lines[^2].Length > 0) &&
            lines.All(line => !line.Any(char.IsControl) && (line.Length == 0 || !char.IsWhiteSpace(line[^1])));
    }

    /// <summary>Whether a reader would take the text for something else than text (YAML 1.1 and 1.2).</summary>
    private static bool NeedsQuotes(string text) =>
        text.Length == 0 || text.Any(char.IsControl) || char.IsWhiteSpace(text[0]) || char.IsWhiteSpace(text[^1]) ||
        char.IsAsciiDigit(text[0]) || text[0] is '.' or '+' or '-' or '=' or '<' ||
        text.ToLowerInvariant() is "~" or "null" or "true" or "false" or "yes" or "no" or "on" or "off" or "y" or "n";
}
