using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using EdgeVirt.Contracts.Boards;

namespace EdgeVirt.Node.Boards;

/// <summary>
/// Reads settings as a person or a flasher wrote them: whatever is good is taken, whatever is not becomes a fault that says what to do. Padding, a byte
/// order mark, comments and trailing commas are no fault. No fault shows a secret.
/// </summary>
internal static class SettingsText
{
    private static readonly JsonDocumentOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    /// <summary>The settings; null where there are none, or the text is no JSON object.</summary>
    public static BoardSettings? Read(ReadOnlySpan<byte> bytes, ICollection<string> faults)
    {
        var text = (bytes.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes).Trim(" \t\r\n\0"u8);
        if (text.IsEmpty)
        {
            return null;
        }

        try
        {
            using var document = JsonDocument.Parse(text.ToArray(), Lenient);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                faults.Add("the settings must be one JSON object: { \"hub\": … }");
                return null;
            }

            return Read(document.RootElement, faults);
        }
        catch (JsonException e)
        {
            faults.Add($"the settings are no JSON: {e.Message}");
            return null;
        }
    }

    private static BoardSettings Read(JsonElement root, ICollection<string> faults)
    {
        var settings = new BoardSettings();
        foreach (var property in root.EnumerateObject().Where(property => property.Value.ValueKind != JsonValueKind.Null))
        {
            var (name, value) = (property.Name, property.Value);
            settings = name.ToLowerInvariant() switch
            {
                "hub" => settings with { Hub = One(name, value, BoardSettingsJson.Default.String, hub => new() { Hub = hub }, faults) },
                "claimtoken" => settings with { ClaimToken = Token(name, value, faults) },
                "nodename" => settings with { NodeName = One(name, value, BoardSettingsJson.Default.String, text => new() { NodeName = text }, faults) },
                "flashedat" => settings with { FlashedAt = FlashedAt(name, value, faults) },
                "ethernet" => settings with { Ethernet = Several(name, value, BoardSettingsJson.Default.EthernetSettings, one => new() { Ethernet = [one] }, faults) },
                "wifi" => settings with { Wifi = One(name, value, BoardSettingsJson.Default.WifiSettings, wifi => new() { Wifi = wifi }, faults) },
                "cellular" => settings with { Cellular = One(name, value, BoardSettingsJson.Default.CellularSettings, cellular => new() { Cellular = cellular }, faults) },
                "timeservers" => settings with { TimeServers = Several(name, value, BoardSettingsJson.Default.String, server => new() { TimeServers = [server] }, faults) },
                "sshauthorizedkeys" => settings with { SshAuthorizedKeys = Several(name, value, BoardSettingsJson.Default.String, key => new() { SshAuthorizedKeys = [key] }, faults) },
                "registries" => settings with { Registries = One(name, value, BoardSettingsJson.Default.IReadOnlyDictionaryStringRegistrySettings, all => new() { Registries = all }, faults) },
                _ => Unknown(settings, name, faults),
            };
        }

        return settings;
    }

    private static T? One<T>(string name, JsonElement value, JsonTypeInfo<T> type, Func<T, BoardSettings> alone, ICollection<string> faults)
        where T : class
    {
        try
        {
            var read = value.Deserialize(type);
            return read is null || SettingsCheck.IsSound(name, alone(read), faults) ? read : null;
        }
        catch (JsonException e)
        {
            faults.Add($"{name} has the wrong form: {e.Message}");
            return null;
        }
    }

    private static List<T>? Several<T>(string name, JsonElement value, JsonTypeInfo<T> type, Func<T, BoardSettings> alone, ICollection<string> faults)
        where T : class
    {
        if (value.ValueKind != JsonValueKind.Array)
        {
            faults.Add($"{name} must be a list, in [ ]");
            return null;
        }

        return [.. value.EnumerateArray().Select((item, i) => One($"{name}[{i}]", item, type, alone, faults)).OfType<T>()];
    }

    // Spaces stand where a token was taken.
    private static string? Token(string name, JsonElement value, ICollection<string> faults) =>
        value.ValueKind == JsonValueKind.String && string.IsNullOrWhiteSpace(value.GetString())
            ? null
            : One(name, value, BoardSettingsJson.Default.String, token => new() { ClaimToken = token }, faults);

    private static DateTimeOffset? FlashedAt(string name, JsonElement value, ICollection<string> faults)
    {
        if (value.ValueKind == JsonValueKind.String && value.TryGetDateTimeOffset(out var moment))
        {
            return SettingsCheck.IsSound(name, new() { FlashedAt = moment }, faults) ? moment : null;
        }

        faults.Add($"{name} must be a moment such as 2026-11-27T12:00:00Z");
        return null;
    }

    private static BoardSettings Unknown(BoardSettings settings, string name, ICollection<string> faults)
    {
        faults.Add($"'{name}' is no setting; there are hub, claimToken, nodeName, flashedAt, ethernet, wifi, cellular, timeServers, registries and sshAuthorizedKeys");
        return settings;
    }
}

[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    WriteIndented = true)]
[JsonSerializable(typeof(BoardSettings))]
[JsonSerializable(typeof(PreparedOptions))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, RegistrySettings>))]
internal sealed partial class BoardSettingsJson : JsonSerializerContext;
