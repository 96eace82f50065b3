using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace EdgeVirt.Cli.Output;

/// <summary>Writes results as JSON or YAML; both have the same content.</summary>
internal static class JsonOutput
{
    /// <summary>Writes one result.</summary>
    public static void Write<T>(TextWriter output, OutputFormat format, T value, JsonTypeInfo<T> type)
    {
        var element = JsonSerializer.SerializeToElement(value, type);
        if (format == OutputFormat.Yaml)
        {
            YamlOutput.Write(output, element);
        }
        else
        {
            output.WriteLine(Text(element, indented: true));
        }
    }

    /// <summary>Writes one of a stream of results: a line of JSON, or a YAML document.</summary>
    public static void WriteNext<T>(TextWriter output, OutputFormat format, T value, JsonTypeInfo<T> type)
    {
        var element = JsonSerializer.SerializeToElement(value, type);
        if (format == OutputFormat.Yaml)
        {
            output.WriteLine("---");
            YamlOutput.Write(output, element);
        }
        else
        {
            output.WriteLine(Text(element, indented: false));
        }

        output.Flush();
    }

    private static string Text(JsonElement element, bool indented)
    {
        using var buffer = new MemoryStream();
        // The text goes to a terminal or file, not into a web page: no need to escape more than JSON asks for.
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = indented, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            element.WriteTo(writer);
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }
}
