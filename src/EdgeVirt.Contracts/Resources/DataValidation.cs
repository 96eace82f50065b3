using System.Text;
using System.Text.RegularExpressions;

namespace EdgeVirt.Contracts.Resources;

internal static partial class DataValidation
{
    private const int MaxDataBytes = 1 << 20;
    private const int MaxClaimUses = 10_000;

    public static void Validate(SecretSpec spec, Validation v)
    {
        var data = spec.Data ?? new Dictionary<string, byte[]>();
        var text = spec.StringData ?? new Dictionary<string, string>();
        Keys(data.Keys, "spec.data", v);
        Keys(text.Keys, "spec.stringData", v);
        foreach (var key in text.Keys.Where(data.ContainsKey))
        {
            v.Add($"spec.stringData.{key}", $"'{key}' is in spec.data too; give it once");
        }

        Size(data.Values.Sum(value => (long)value.Length) + text.Values.Sum(value => (long)Encoding.UTF8.GetByteCount(value)), v);
    }

    public static void Validate(ConfigSpec spec, Validation v)
    {
        Keys(spec.Data.Keys, "spec.data", v);
        Size(spec.Data.Values.Sum(value => (long)Encoding.UTF8.GetByteCount(value)), v);
    }

    public static void Validate(BoardClaimSpec spec, Validation v)
    {
        if (spec.MaxUses is < 1 or > MaxClaimUses)
        {
            v.Add("spec.maxUses", $"must be between 1 and {MaxClaimUses}");
        }

        Labels.Validate(spec.NodeLabels, "spec.nodeLabels", v);
    }

    private static void Keys(IEnumerable<string> keys, string path, Validation v)
    {
        foreach (var key in keys.Where(key => !DataKey().IsMatch(key) || key is "." or ".."))
        {
            v.Add($"{path}.{key}", "is no key: up to 253 letters, digits, '-', '_' and '.' (keys become file names)");
        }
    }

    private static void Size(long bytes, Validation v)
    {
        if (bytes > MaxDataBytes)
        {
            v.Add("spec", $"holds {bytes} bytes; at most {MaxDataBytes} are allowed");
        }
    }

    [GeneratedRegex("^[A-Za-z0-9._-]{1,253}$")]
    private static partial Regex DataKey();
}
