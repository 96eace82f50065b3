using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Output;

/// <summary>What a node says about itself, for people.</summary>
internal static class NodeDescription
{
    public static void Write(Description to, NodeStatus status)
    {
        to.Field("Agent", status.AgentVersion);
        to.Field("Board", status.Board);
        to.Field("Serial number", status.SerialNumber);
        to.Field("Architecture", status.Architecture);
        to.Field("OS", status.OperatingSystem);
        to.Field("Kernel", status.Kernel);
        to.Field("Runtime", status.ContainerRuntime);
        to.Field("Runs", string.Join(", ", status.Kinds ?? []));
        to.Field("Addresses", string.Join(", ", status.Addresses));
        to.Field("CPUs", status.CpuCount > 0 ? $"{status.CpuCount}" : null);
        to.Field("Memory", status.MemoryBytes > 0 ? Description.Bytes(status.MemoryBytes) : null);
        to.Field("Disk", status.DiskBytes > 0 ? Description.Bytes(status.DiskBytes) : null);
        to.Field("Revision", $"{status.DesiredRevision}");
        to.Field("Boot", status.BootId);
        to.Time("Certificate to", status.CertificateExpiresAt);
        to.Time("Last seen", status.LastSeen);
        if (status.Conditions.Count > 0)
        {
            to.Section("Conditions");
            to.Conditions(status.Conditions);
        }
    }
}
