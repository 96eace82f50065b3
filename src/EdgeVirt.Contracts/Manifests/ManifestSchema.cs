using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Manifests;

/// <summary>
/// Holds a manifest's tree against the shape of a record and writes it as JSON. The shape comes from the
/// records' serialization metadata, so a field exists for manifests exactly when it exists for code.
/// </summary>
/// <param name="faults">Gets what is wrong.</param>
/// <param name="json">Gets what is right.</param>
/// <param name="secrets">Names of fields whose values are not repeated in faults.</param>
internal sealed class ManifestSchema(Validation faults, Utf8JsonWriter json, IReadOnlySet<string>? secrets = null)
{
    /// <summary>Checks <paramref name="node"/> against <paramref name="type"/> and writes it.</summary>
    public void Write(ManifestNode node, JsonTypeInfo type, string path)
    {
        switch (type.Kind)
        {
            case JsonTypeInfoKind.Object:
                WriteObject(node, type, path);
                break;
            case JsonTypeInfoKind.Enumerable:
                WriteList(node, type, path);
                break;
            case JsonTypeInfoKind.Dictionary:
                WriteMap(node, type, path);
                break;
            default:
                WriteScalar(node, Nullable.GetUnderlyingType(type.Type) ?? type.Type, path);
                break;
        }
    }

    private void WriteObject(ManifestNode node, JsonTypeInfo type, string path)
    {
        if (node is not ManifestMapping mapping)
        {
            // An empty object is commonly written as nothing at all, as in "emptyDir:".
            if (node is not ManifestScalar { IsNull: true })
            {
                faults.Add(node.Line, path, $"must be a mapping, is {Describe(node)}");
            }

            mapping = new ManifestMapping(node.Line, []);
        }

        json.WriteStartObject();
        foreach (var entry in mapping.Entries)
        {
            var at = Join(path, entry.Key);
            faults.Place(at, entry.Line);
            var property = type.Properties.FirstOrDefault(candidate => candidate.Name == entry.Key);
            if (property is null)
            {
                faults.Add(entry.Line, at, $"is not a field here{Suggest(entry.Key, type)}");
            }
            else if (property.CustomConverter is ReadElsewhere)
            {
                continue;
            }
            else if (entry.Value is not ManifestScalar { IsNull: true } || TypeOf(property).Kind == JsonTypeInfoKind.Object)
            {
                json.WritePropertyName(property.Name);
                Write(entry.Value, TypeOf(property), at);
            }
        }

        foreach (var property in type.Properties.Where(property => property.IsRequired && IsAbsent(mapping, property.Name)))
        {
            faults.Add(mapping.Line, Join(path, property.Name), "is required");
        }

        json.WriteEndObject();
    }

    private static bool IsAbsent(ManifestMapping mapping, string name) =>
        mapping.Find(name)?.Value is null or ManifestScalar { IsNull: true };

    private void WriteList(ManifestNode node, JsonTypeInfo type, string path)
    {
        json.WriteStartArray();
        if (node is ManifestSequence sequence)
        {
            for (var i = 0; i < sequence.Items.Count; i++)
            {
                var at = $"{path}[{i}]";
                faults.Place(at, sequence.Items[i].Line);
                Write(sequence.Items[i], TypeOf(type, type.ElementType!), at);
            }
        }
        else
        {
            faults.Add(node.Line, path, $"must be a list, is {Describe(node)}");
        }

        json.WriteEndArray();
    }

    private void WriteMap(ManifestNode node, JsonTypeInfo type, string path)
    {
        json.WriteStartObject();
        if (node is ManifestMapping mapping)
        {
            foreach (var entry in mapping.Entries)
            {
                var at = Join(path, entry.Key);
                faults.Place(at, entry.Line);
                json.WritePropertyName(entry.Key);
                Write(entry.Value, TypeOf(type, type.ElementType!), at);
            }
        }
        else
        {
            faults.Add(node.Line, path, $"must be a mapping, is {Describe(node)}");
        }

        json.WriteEndObject();
    }

    private void WriteScalar(ManifestNode node, Type type, string path)
    {
        var scalar = node as ManifestScalar;
        if (scalar is not null && TryWrite(scalar, type))
        {
            return;
        }

        json.WriteNullValue();
        var advice = type == typeof(string) && scalar is not null ? "; put it in quotes" : "";
        faults.Add(node.Line, path, $"must be {Expected(type)}, is {(secrets?.Contains(path[(path.LastIndexOf('.') + 1)..]) is true ? "something else" : Describe(node))}{advice}");
    }

    private bool TryWrite(ManifestScalar scalar, Type type)
    {
        var text = scalar.Text;
        if (type == typeof(string))
        {
            if (scalar.IsPlain && (IsNumber(text) || IsTruth(text) || scalar.IsNull))
            {
                return false;
            }

            json.WriteStringValue(text);
            return true;
        }

        if (type == typeof(bool))
        {
            return scalar.IsPlain && IsTruth(text) && Do(() => json.WriteBooleanValue(text == "true"));
        }

        if (type == typeof(int))
        {
            return scalar.IsPlain && TryInteger(text) is >= int.MinValue and <= int.MaxValue and { } number && Do(() => json.WriteNumberValue(number));
        }

        if (type == typeof(long))
        {
            return scalar.IsPlain && TryInteger(text) is { } number && Do(() => json.WriteNumberValue(number));
        }

        if (type == typeof(Quantity))
        {
            return Quantity.TryParse(text, out _) && Do(() => json.WriteStringValue(text));
        }

        if (type == typeof(DateTimeOffset))
        {
            return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) &&
                Do(() => json.WriteStringValue(time));
        }

        if (type == typeof(byte[]))
        {
            var bytes = new byte[text.Length];
            return Convert.TryFromBase64String(text, bytes, out var length) && Do(() => json.WriteBase64StringValue(bytes.AsSpan(0, length)));
        }

        return type.IsEnum && Enum.GetNames(type).Contains(text) && Do(() => json.WriteStringValue(text));
    }

    /// <summary>Decimal, or octal behind a leading 0 (YAML 1.1, as Kubernetes reads file modes) or 0o (YAML 1.2).</summary>
    private static long? TryInteger(string text)
    {
        if (text.Length > 1 && text[0] == '0')
        {
            var digits = text.AsSpan(text[1] == 'o' ? 2 : 1);
            return digits.Length is > 0 and <= 20 && !digits.ContainsAnyExceptInRange('0', '7') ? Convert.ToInt64(digits.ToString(), 8) : null;
        }

        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;
    }

    private static bool Do(Action write)
    {
        write();
        return true;
    }

    private static string Expected(Type type) => type switch
    {
        _ when type == typeof(string) => "text",
        _ when type == typeof(bool) => "true or false",
        _ when type == typeof(int) || type == typeof(long) => "a whole number",
        _ when type == typeof(Quantity) => "a quantity such as 500m, 2 or 64Mi",
        _ when type == typeof(DateTimeOffset) => "a time such as 2026-11-22T18:00:00Z",
        _ when type == typeof(byte[]) => "base64",
        _ when type.IsEnum => "one of " + string.Join(", ", Enum.GetNames(type)),
        _ => type.Name,
    };

    private static string Describe(ManifestNode node) => node switch
    {
        ManifestMapping => "a mapping",
        ManifestSequence => "a list",
        ManifestScalar { IsNull: true } => "empty",
        ManifestScalar { IsPlain: true } scalar when IsNumber(scalar.Text) => $"the number {scalar.Text}",
        ManifestScalar scalar => $"'{(scalar.Text.Length > 40 ? scalar.Text[..40] + "…" : scalar.Text)}'",
        _ => "something else",
    };

    private static bool IsTruth(string text) => text is "true" or "false";

    private static bool IsNumber(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out _);

    private static string Join(string path, string key) => path.Length == 0 ? key : $"{path}.{key}";

    private static JsonTypeInfo TypeOf(JsonPropertyInfo property) => property.Options.GetTypeInfo(property.PropertyType);

    private static JsonTypeInfo TypeOf(JsonTypeInfo parent, Type type) => parent.Options.GetTypeInfo(type);

    private static string Suggest(string key, JsonTypeInfo type)
    {
        var names = type.Properties.Select(property => property.Name).ToList();
        return Suggestion.Near(key, names) is { } near
            ? $"; did you mean '{near}'?"
            : names.Count == 0 ? "; none is allowed" : $"; allowed are {string.Join(", ", names.Order(StringComparer.Ordinal))}";
    }
}
