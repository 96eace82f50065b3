using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace EdgeVirt.Contracts.Resources;

internal static partial class VirtualMachineValidation
{
    private const string IgnitionName = "opt/com.coreos/config";
    private const int MostFirmwareEntries = 32;
    private const int MostOemStrings = 64;
    private const int LongestSmbiosText = 64;

    // As QEMU's own tables of SMBIOS strings are read in one go by SeaBIOS and EDK2.
    private const int LongestOemString = 4096;

    private static void ValidateHardware(VirtualMachineSpec spec, Validation v)
    {
        var isMicro = spec.Machine == VirtualMachineModel.MicroVm;
        ValidateSmbios(spec.Smbios, isMicro, v);
        ValidateFirmwareConfig(spec.FirmwareConfig ?? [], hasIgnition: spec.Ignition is not null, v);
        ValidateIgnition(spec.Ignition, v);
        if (isMicro && spec.Watchdog is not null)
        {
            v.Add("spec.watchdog", "MicroVm has no PCI bus for a watchdog: leave it out, or use Q35");
        }

        switch (spec)
        {
            case { Machine: VirtualMachineModel.MicroVm, Tpm: not null }:
                v.Add("spec.tpm", "MicroVm has no place for a TPM: leave it out, or use Q35");
                break;
            case { Machine: VirtualMachineModel.Virt, Tpm.Model: VirtualTpmModel.Crb }:
                v.Add("spec.tpm.model", "Crb is for x86-64, and Virt is a machine of arm64: use Tis");
                break;
        }
    }

    private static void ValidateSmbios(VirtualSmbiosSpec? smbios, bool isMicro, Validation v)
    {
        if (smbios is null)
        {
            return;
        }

        if (isMicro)
        {
            v.Add("spec.smbios", "MicroVm has no firmware that could have SMBIOS tables: leave it out, or use Q35");
        }

        foreach (var (name, text) in ((string, string?)[])[("serial", smbios.Serial), ("sku", smbios.Sku), ("family", smbios.Family), ("version", smbios.Version)])
        {
            if (text is not null && (text.Length is 0 or > LongestSmbiosText || text.Any(c => c is < ' ' or > '~')))
            {
                v.Add($"spec.smbios.{name}", $"must be 1 to {LongestSmbiosText} printable ASCII characters");
            }
        }

        var strings = smbios.OemStrings ?? [];
        if (strings.Count > MostOemStrings)
        {
            v.Add("spec.smbios.oemStrings", $"takes up to {MostOemStrings} strings, has {strings.Count}");
        }

        for (var i = 0; i < strings.Count; i++)
        {
            var at = $"spec.smbios.oemStrings[{i}]";
            Validate(strings[i], at, v);
            if (strings[i].Value is { } text && OemStringProblem(text) is { } problem)
            {
                v.Add($"{at}.value", problem);
            }
        }
    }

    /// <summary>What keeps a text from being an SMBIOS string of type 11; null: nothing.</summary>
    internal static string? OemStringProblem(string text) =>
        text.Length == 0 || Encoding.UTF8.GetByteCount(text) > LongestOemString || text.Any(char.IsControl)
            ? $"must be one line of 1 to {LongestOemString} bytes, without control characters; longer or other values go as io.systemd.credential.binary:NAME=BASE64, or by firmwareConfig"
            : null;

    private static void ValidateFirmwareConfig(IReadOnlyList<FirmwareConfigSpec> entries, bool hasIgnition, Validation v)
    {
        if (entries.Count > MostFirmwareEntries)
        {
            v.Add("spec.firmwareConfig", $"takes up to {MostFirmwareEntries} entries, has {entries.Count}");
        }

        var names = new HashSet<string>();
        for (var i = 0; i < entries.Count; i++)
        {
            var (entry, at) = (entries[i], $"spec.firmwareConfig[{i}]");
            Validate(entry, at, v);
            Size(entry.Value, $"{at}.value", v);
            if (!FirmwareName().IsMatch(entry.Name))
            {
                v.Add($"{at}.name", "must begin with opt/ and have 5 to 55 letters, digits and any of . _ - / (all else is QEMU's own), as opt/org.example/site");
            }
            else if (!names.Add(entry.Name))
            {
                v.Add($"{at}.name", $"'{entry.Name}' is there twice");
            }
            else if (hasIgnition && entry.Name == IgnitionName)
            {
                v.Add($"{at}.name", "is what spec.ignition fills; give one of both");
            }
            else if (entry.Name.StartsWith("opt/ovmf/", StringComparison.Ordinal) || entry.Name.StartsWith("opt/org.tianocore/", StringComparison.Ordinal))
            {
                v.Add($"{at}.name", "changes how the firmware itself works, and is refused; choose a name with a domain of your own");
            }
        }
    }

    private static void ValidateIgnition(IgnitionSpec? ignition, Validation v)
    {
        if (ignition is null)
        {
            return;
        }

        if (ignition.Config is null == ignition.ConfigSecret is null)
        {
            v.Add("spec.ignition", "give exactly one of config and configSecret");
        }

        if (ignition.ConfigSecret is { } secret && ResourceName.Problem(secret.Name) is { } problem)
        {
            v.Add("spec.ignition.configSecret.name", $"'{secret.Name}' {problem}");
        }

        Size(ignition.Config, "spec.ignition.config", v);
        if (ignition.Config is { } config && IgnitionProblem(Encoding.UTF8.GetBytes(config)) is { } wrong)
        {
            v.Add("spec.ignition.config", wrong);
        }
    }

    /// <summary>What keeps a text from being a configuration of Ignition; null: nothing that is seen from outside.</summary>
    internal static string? IgnitionProblem(ReadOnlyMemory<byte> config)
    {
        try
        {
            using var read = JsonDocument.Parse(config);
            return read.RootElement.ValueKind == JsonValueKind.Object && read.RootElement.TryGetProperty("ignition", out var head) && head.ValueKind == JsonValueKind.Object &&
                head.TryGetProperty("version", out var version) && version.ValueKind == JsonValueKind.String
                ? null
                : "must say ignition.version; a Butane file becomes one by 'butane'";
        }
        catch (JsonException)
        {
            return "must be JSON; a Butane file becomes it by 'butane'";
        }
    }

    private static void Validate(VirtualText text, string path, Validation v)
    {
        if (text.Value is null == text.ValueFrom is null)
        {
            v.Add(path, "give exactly one of value and valueFrom");
        }

        if (text.ValueFrom is not { } source)
        {
            return;
        }

        if (source.SecretKeyRef is null == source.ConfigKeyRef is null)
        {
            v.Add($"{path}.valueFrom", "give exactly one of secretKeyRef and configKeyRef");
        }

        if ((source.SecretKeyRef ?? source.ConfigKeyRef) is { } key && ResourceName.Problem(key.Name) is { } problem)
        {
            v.Add($"{path}.valueFrom", $"'{key.Name}' {problem}");
        }
    }

    [GeneratedRegex("^opt/[A-Za-z0-9._/-]{1,51}$")]
    private static partial Regex FirmwareName();
}
