using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Boards;

/// <summary>What a text of JSON held, or why it is not taken.</summary>
/// <param name="Value">Null if there are errors.</param>
/// <param name="Errors">Faults with line and path of the field; no value of a secret is repeated.</param>
public sealed record BoardJsonResult<T>(T? Value, IReadOnlyList<FieldError> Errors)
    where T : class
{
    /// <summary>The faults as one sentence: line, field, reason.</summary>
    public string Faults => string.Join("; ", Errors.Select(error => $"{(error.Line > 0 ? $"line {error.Line}: " : "")}{(error.Field.Length > 0 ? $"{error.Field} " : "")}{error.Reason}"));
}

/// <summary>Reads a record from JSON as manifests are read: unknown fields, wrong types and missing fields are faults with a line.</summary>
internal static class BoardJson
{
    public static BoardJsonResult<T> Read<T>(ReadOnlySpan<byte> text, JsonTypeInfo<T> type, Action<T, Validation> validate, IReadOnlySet<string>? secrets = null)
        where T : class
    {
        var v = new Validation();
        v.Place("", 1);
        try
        {
            var tree = JsonTree.Read(text, (line, key) => v.Add(line, key, "is there twice in the same place; remove one"));
            var buffer = new ArrayBufferWriter<byte>();
            using (var json = new Utf8JsonWriter(buffer))
            {
                new ManifestSchema(v, json, secrets).Write(tree, type, "");
            }

            if (v.IsValid)
            {
                var value = JsonSerializer.Deserialize(buffer.WrittenSpan, type)!;
                validate(value, v);
                return v.IsValid ? new BoardJsonResult<T>(value, []) : new BoardJsonResult<T>(null, v.Errors);
            }
        }
        catch (JsonException fault)
        {
            // The message of a reader has at most one character of the text in it.
            var reason = fault.Message.Split(" LineNumber:")[0];
            v.Add((int)(fault.LineNumber ?? 0) + 1, "", $"is no JSON: {reason}");
        }

        return new BoardJsonResult<T>(null, v.Errors);
    }
}
