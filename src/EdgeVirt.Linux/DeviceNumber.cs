using System.Globalization;

namespace EdgeVirt.Linux;

/// <summary>Number of a device.</summary>
/// <param name="Major">Which driver.</param>
/// <param name="Minor">Which of its devices.</param>
public readonly record struct DeviceNumber(uint Major, uint Minor)
{
    /// <summary><c>8:1</c></summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Major}:{Minor}");
}
