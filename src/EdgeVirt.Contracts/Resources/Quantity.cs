using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace EdgeVirt.Contracts.Resources;

/// <summary>
/// An amount in the notation of Kubernetes quantities: a decimal number with an optional suffix
/// (<c>m</c> · <c>k M G T</c> = powers of 1000 · <c>Ki Mi Gi Ti</c> = powers of 1024).
/// </summary>
[JsonConverter(typeof(QuantityConverter))]
public readonly record struct Quantity
{
    private static readonly (string Suffix, decimal Factor)[] Suffixes =
    [
        ("Ki", 1L << 10), ("Mi", 1L << 20), ("Gi", 1L << 30), ("Ti", 1L << 40),
        ("m", 0.001m), ("k", 1e3m), ("M", 1e6m), ("G", 1e9m), ("T", 1e12m),
    ];

    private readonly string? text;

    private Quantity(string text, decimal value)
    {
        this.text = text;
        Value = value;
    }

    /// <summary>The amount in the base unit (CPUs, bytes).</summary>
    public decimal Value { get; }

    /// <summary>As it was written.</summary>
    public override string ToString() => text ?? "0";

    /// <summary>Reads a quantity; false if it is not one or is negative or beyond 10^18.</summary>
    public static bool TryParse(string? text, out Quantity quantity)
    {
        quantity = default;
        if (string.IsNullOrEmpty(text))
        {
            return false;
        }

        var factor = 1m;
        var number = text.AsSpan();
        foreach (var (suffix, value) in Suffixes)
        {
            if (text.EndsWith(suffix, StringComparison.Ordinal))
            {
                factor = value;
                number = number[..^suffix.Length];
                break;
            }
        }

        if (!decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var amount) ||
            amount > 1_000_000_000_000_000_000m / Math.Max(factor, 1m))
        {
            return false;
        }

        quantity = new Quantity(text, amount * factor);
        return true;
    }
}

/// <summary>Writes a quantity as text and reads it from text or a number.</summary>
public sealed class QuantityConverter : JsonConverter<Quantity>
{
    /// <inheritdoc/>
    public override Quantity Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var text = reader.TokenType == JsonTokenType.Number
            ? reader.GetDecimal().ToString(CultureInfo.InvariantCulture)
            : reader.GetString();
        return Quantity.TryParse(text, out var quantity)
            ? quantity
            : throw new JsonException($"'{text}' is not a quantity such as 500m, 2 or 64Mi");
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, Quantity value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToString());
}
