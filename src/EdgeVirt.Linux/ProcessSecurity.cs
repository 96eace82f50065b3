using System.Globalization;

namespace EdgeVirt.Linux;

/// <summary>What the kernel lets this process do.</summary>
public static class ProcessSecurity
{
    private const string AppArmorSwitch = "/sys/module/apparmor/parameters/enabled";

    /// <summary>Effective capabilities of this process, bit n for capability n (field CapEff of /proc/self/status).</summary>
    public static ulong EffectiveCapabilities { get; } = CapabilitiesIn(File.ReadLines("/proc/self/status"));

    /// <summary>Whether the kernel can filter system calls (seccomp(2), <c>SECCOMP_MODE_FILTER</c>).</summary>
    public static bool KernelHasSeccomp { get; } = File.Exists("/proc/sys/kernel/seccomp/actions_avail");

    /// <summary>Whether AppArmor is on in the kernel.</summary>
    public static bool KernelHasAppArmor { get; } = File.Exists(AppArmorSwitch) && File.ReadAllText(AppArmorSwitch).StartsWith('Y');

    /// <summary>Whether an AppArmor profile is loaded; null: it cannot be told.</summary>
    public static bool? HasAppArmorProfile(string name)
    {
        try
        {
            // "name (enforce)" on each line.
            return File.ReadLines("/sys/kernel/security/apparmor/profiles").Any(line => line.StartsWith(name + " (", StringComparison.Ordinal));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    internal static ulong CapabilitiesIn(IEnumerable<string> status)
    {
        const string Key = "CapEff:";
        var line = status.FirstOrDefault(line => line.StartsWith(Key, StringComparison.Ordinal));
        return line is not null && ulong.TryParse(line.AsSpan(Key.Length).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var bits) ? bits : 0;
    }
}
