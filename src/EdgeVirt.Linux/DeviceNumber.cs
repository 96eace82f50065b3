using System.Globalization;

namespace EdgeVirt.Linux;

/// <summary>Number of a device.</summary>
/// <param name="Major">Which driver.</param>
/// <param name="Minor">Which of its devices.</param>
public readonly record struct DeviceNumber(uint Major, uint Minor)
{
    /// <summary>The kernel's largest.</summary>
    public const uint MaxMajor = 0xFFF;

    /// <summary>The kernel's largest.</summary>
    public const uint MaxMinor = 0xFFFFF;

    /// <summary>As <c>dev_t</c> of the C library.</summary>
    public ulong Packed => ((ulong)(Major & 0xFFFFF000) << 32) | ((Major & 0xFFF) << 8) | ((ulong)(Minor & 0xFFFFFF00) << 12) | (Minor & 0xFF);

    /// <summary><c>8:1</c></summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Major}:{Minor}");
}
