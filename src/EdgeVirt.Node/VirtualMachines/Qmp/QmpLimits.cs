namespace EdgeVirt.Node.VirtualMachines.Qmp;

/// <summary>What one QEMU may take of the agent. A guest cannot reach these by itself; a QEMU that it took over can try.</summary>
internal sealed record QmpLimits
{
    public static readonly QmpLimits Default = new();

    /// <summary>Longest message, bytes. The longest of QEMU's own, its schema, has about 300 KiB.</summary>
    public int MessageBytes { get; init; } = 1 << 20;

    /// <summary>Most events that wait to be read.</summary>
    public int Events { get; init; } = 512;

    /// <summary>Most commands that wait for their answers.</summary>
    public int Commands { get; init; } = 64;

    /// <summary>Longest wait for the greeting, and for the answer to a command that names no other time.</summary>
    public TimeSpan Answer { get; init; } = TimeSpan.FromSeconds(5);
}
