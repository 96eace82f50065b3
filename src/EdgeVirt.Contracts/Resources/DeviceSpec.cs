namespace EdgeVirt.Contracts.Resources;

/// <summary>Devices of the node that a container gets: exactly one of path, class and name says which. Kubernetes has no word for it.</summary>
public sealed record DeviceSpec
{
    /// <summary>Path on the node, e.g. <c>/dev/ttyUSB0</c>; its last part may have <c>*</c> and <c>?</c> and then stands for all that fit.</summary>
    public string? Path { get; init; }

    /// <summary>All devices of a class of the kernel, as /sys/class names it; also <c>video</c>, <c>i2c</c>, <c>spi</c> and <c>gpio</c>.</summary>
    public string? Class { get; init; }

    /// <summary>A device that the node's own options declare by this name.</summary>
    public string? Name { get; init; }

    /// <summary>Where it appears in the container; for one device alone. Absent: as <see cref="Path"/> says, else as on the node.</summary>
    public string? ContainerPath { get; init; }

    /// <summary>What the container may do with it: <c>r</c>ead, <c>w</c>rite, <c>m</c>ake nodes of it; absent: <c>rw</c>.</summary>
    public string? Permissions { get; init; }
}
