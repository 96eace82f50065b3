using System.Text.Json;

namespace EdgeVirt.Node.VirtualMachines.Qmp;

/// <summary>Something that happened in a QEMU, as it says it.</summary>
/// <param name="Name">E.g. <c>SHUTDOWN</c>, <c>BLOCK_IO_ERROR</c>.</param>
/// <param name="Data">What belongs to it; an undefined element where nothing does.</param>
/// <param name="At">QEMU's clock, which is the node's; null: it has none.</param>
internal sealed record QmpEvent(string Name, JsonElement Data, DateTimeOffset? At)
{
    /// <summary>A text of <see cref="Data"/>; null: it has none of that name.</summary>
    public string? Text(string property) =>
        Data.ValueKind == JsonValueKind.Object && Data.TryGetProperty(property, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>A yes or no of <see cref="Data"/>; no also where it has none of that name.</summary>
    public bool Flag(string property) =>
        Data.ValueKind == JsonValueKind.Object && Data.TryGetProperty(property, out var value) && value.ValueKind == JsonValueKind.True;

    internal static QmpEvent? From(JsonElement message)
    {
        if (message.GetProperty("event") is not { ValueKind: JsonValueKind.String } name)
        {
            return null;
        }

        DateTimeOffset? at = null;
        // {"seconds": 1, "microseconds": 2}; both are -1 where the clock cannot be read.
        if (message.TryGetProperty("timestamp", out var timestamp) && timestamp.ValueKind == JsonValueKind.Object &&
            timestamp.TryGetProperty("seconds", out var seconds) && seconds.ValueKind == JsonValueKind.Number &&
            seconds.TryGetInt64(out var whole) && whole is > 0 and < 253_402_300_799)
        {
            var part = timestamp.TryGetProperty("microseconds", out var micros) && micros.ValueKind == JsonValueKind.Number && micros.TryGetInt64(out var number) ? number : 0;
            at = DateTimeOffset.FromUnixTimeSeconds(whole).AddTicks(Math.Clamp(part, 0, 999_999) * TimeSpan.TicksPerMicrosecond);
        }

        return new QmpEvent(name.GetString()!, message.TryGetProperty("data", out var data) ? data : default, at);
    }
}
