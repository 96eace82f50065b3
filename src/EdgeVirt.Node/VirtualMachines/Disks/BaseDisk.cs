using System.Text.Json.Serialization;
using EdgeVirt.Node.VirtualMachines.Qemu;

namespace EdgeVirt.Node.VirtualMachines.Disks;

/// <summary>A disk that machines begin from. Nobody writes to it.</summary>
/// <param name="Sha256">Of its file, 64 hexadecimal digits; also its name.</param>
/// <param name="Format">How it is written.</param>
/// <param name="VirtualBytes">Its size as a guest sees it.</param>
internal sealed record BaseDisk(string Sha256, DiskFormat Format, long VirtualBytes);

/// <summary>What is written down about a disk of a machine, because the disk itself is not asked once a guest has written to it.</summary>
internal sealed record DiskRecord
{
    public required string Name { get; init; }

    public required DiskFormat Format { get; init; }

    /// <summary>Its size as the guest sees it.</summary>
    public required long VirtualBytes { get; init; }

    /// <summary>What it began from; null: nothing.</summary>
    public BaseDisk? Base { get; init; }

    /// <summary>How its machine was last started with it; null: as <see cref="DiskPolicy.Default"/>. Layers that are added while it runs follow it.</summary>
    public DiskPolicy? Policy { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(BaseDisk))]
[JsonSerializable(typeof(DiskRecord))]
internal sealed partial class DisksJson : JsonSerializerContext;
