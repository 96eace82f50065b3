using System.Text.Json;
using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Node.Containers.Interactive;

/// <summary>The runtime's <c>process.json</c> for a program in a running container: the container's own process with another command.</summary>
internal static class ExecProcess
{
    private const string DefaultTerm = "xterm";
    private const int MostTermLength = 64;

    /// <param name="config">The container's config.json: user, environment, directory and rights are taken from it.</param>
    /// <param name="request">What is to run.</param>
    /// <param name="mark">Environment variable by which all that it starts is found again.</param>
    /// <exception cref="InvalidDataException">The config holds no process.</exception>
    public static byte[] Make(ReadOnlySpan<byte> config, ExecRequest request, string mark)
    {
        if (JsonNode.Parse(config)?["process"] is not JsonObject process)
        {
            throw new InvalidDataException("the container's config.json holds no process");
        }

        process["args"] = ArrayOf(request.Command);
        process["terminal"] = request.Tty;
        process["env"] = ArrayOf(EnvironmentOf(process["env"] as JsonArray, request, mark));
        process.Remove("consoleSize");
        if (request is { Tty: true, Size: { } size })
        {
            process["consoleSize"] = new JsonObject { ["height"] = size.Rows, ["width"] = size.Columns };
        }

        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            process.WriteTo(writer);
        }

        return buffer.ToArray();
    }

    private static IEnumerable<string> EnvironmentOf(JsonArray? own, ExecRequest request, string mark)
    {
        var variables = (own ?? []).Select(entry => entry!.GetValue<string>());
        if (!request.Tty)
        {
            return variables.Append(mark);
        }

        var term = request.Term.Length is > 0 and <= MostTermLength && request.Term.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_' or '+')
            ? request.Term
            : DefaultTerm;
        return variables.Where(entry => !entry.StartsWith("TERM=", StringComparison.Ordinal)).Append($"TERM={term}").Append(mark);
    }

    private static JsonArray ArrayOf(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode)JsonValue.Create(text))]);
}
