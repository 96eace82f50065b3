using System.Globalization;
using System.Text;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux.Files;

namespace EdgeVirt.Node.VirtualMachines.Devices;

/// <summary>A text that a guest reads by fw_cfg.</summary>
/// <param name="Name">Below <c>opt/</c>.</param>
/// <param name="Path">The file that has it.</param>
internal sealed record FirmwareText(string Name, string Path);

/// <summary>
/// Texts that a guest reads by fw_cfg and SMBIOS. They may come from Secrets, so QEMU gets them as files that it alone reads, in memory, and
/// never as arguments; once it has started, they are gone.
/// </summary>
/// <param name="Firmware">For fw_cfg.</param>
/// <param name="OemStrings">Files with a string of SMBIOS type 11 each.</param>
internal sealed record GuestTexts(IReadOnlyList<FirmwareText> Firmware, IReadOnlyList<string> OemStrings)
{
    public static readonly GuestTexts None = new([], []);

    private const string IgnitionName = "opt/com.coreos/config";
    private const string IgnitionKey = "ignition";
    private const int MostBytes = 512 << 10;
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserExecute;

    /// <summary>Writes them.</summary>
    /// <param name="spec">What the guest is to be told.</param>
    /// <param name="document">Has the Secrets and Configs.</param>
    /// <param name="paths">Of the machine.</param>
    /// <param name="user">As whom its QEMU runs.</param>
    /// <exception cref="VmNotReadyException">One is missing, or cannot be told that way.</exception>
    /// <exception cref="IOException">They cannot be written.</exception>
    public static GuestTexts Write(VirtualMachineSpec spec, NodeDocument document, VmPaths paths, uint user)
    {
        Remove(paths);
        List<(string Name, byte[] Content)> firmware = [];
        foreach (var entry in spec.FirmwareConfig ?? [])
        {
            if (Resolve(entry, document) is { } content)
            {
                firmware.Add((entry.Name, content));
            }
        }

        if (spec.Ignition is { } ignition)
        {
            firmware.Add((IgnitionName, IgnitionOf(ignition, document)));
        }

        var strings = (spec.Smbios?.OemStrings ?? []).Select(text => Resolve(text, document)).OfType<byte[]>().ToList();
        if (firmware.Sum(entry => entry.Content.Length) > MostBytes)
        {
            throw Refused($"firmwareConfig and ignition hold {firmware.Sum(entry => entry.Content.Length)} bytes; at most {MostBytes} are allowed. Put large data on a disk");
        }

        if (strings.Select(text => VirtualMachineTexts.OemStringProblem(text)).OfType<string>().FirstOrDefault() is { } problem)
        {
            throw Refused($"a string of smbios.oemStrings {problem}");
        }

        if (firmware.Count + strings.Count == 0)
        {
            return None;
        }

        Directory.CreateDirectory(paths.Texts, Owner | UnixFileMode.UserWrite);
        var made = new GuestTexts(
            [.. firmware.Select((entry, i) => new FirmwareText(entry.Name, Put(paths, $"fw{i.ToString(CultureInfo.InvariantCulture)}", entry.Content, user)))],
            [.. strings.Select((text, i) => Put(paths, $"oem{i.ToString(CultureInfo.InvariantCulture)}", text, user))]);
        File.SetUnixFileMode(paths.Texts, Owner);
        Ownership.Set(paths.Texts, user, user);
        return made;
    }

    /// <summary>Removes the files.</summary>
    public static void Remove(VmPaths paths)
    {
        if (Directory.Exists(paths.Texts))
        {
            Directory.Delete(paths.Texts, recursive: true);
        }
    }

    private static byte[] IgnitionOf(IgnitionSpec ignition, NodeDocument document)
    {
        if (ignition.ConfigSecret is not { } named)
        {
            return Encoding.UTF8.GetBytes(ignition.Config ?? "");
        }

        var config = document.Secrets.FirstOrDefault(secret => secret.Name == named.Name)?.Data.GetValueOrDefault(IgnitionKey) ?? throw Missing("Secret", named.Name, IgnitionKey);
        return VirtualMachineTexts.IgnitionProblem(config) is { } problem ? throw Refused($"key '{IgnitionKey}' of Secret '{named.Name}' {problem}") : config;
    }

    // Null: it is optional and is not there.
    private static byte[]? Resolve(VirtualText text, NodeDocument document)
    {
        if (text.ValueFrom is not { } source)
        {
            return Encoding.UTF8.GetBytes(text.Value ?? "");
        }

        var key = (source.SecretKeyRef ?? source.ConfigKeyRef)!;
        var found = source.SecretKeyRef is not null
            ? document.Secrets.FirstOrDefault(secret => secret.Name == key.Name)?.Data.GetValueOrDefault(key.Key)
            : document.Configs.FirstOrDefault(config => config.Name == key.Name)?.Data.GetValueOrDefault(key.Key) is { } value ? Encoding.UTF8.GetBytes(value) : null;
        return found ?? (key.Optional ? null : throw Missing(source.SecretKeyRef is null ? "Config" : "Secret", key.Name, key.Key));
    }

    private static string Put(VmPaths paths, string name, byte[] content, uint user)
    {
        var path = Path.Combine(paths.Texts, name);
        using (var file = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead }))
        {
            file.Write(content);
        }

        Ownership.Set(path, user, user);
        return path;
    }

    private static VmNotReadyException Missing(string kind, string name, string key) =>
        new(new VmProblem(ReadyReasons.ReferenceMissing, $"{kind} '{name}' does not exist or has no key '{key}'; apply it"));

    private static VmNotReadyException Refused(string why) => new(new VmProblem(ReadyReasons.StartFailed, why));
}
