using System.Globalization;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.VirtualMachines.Qemu;

/// <summary>QEMU's arguments for processors, memory and the kernel's part in network cards. Pure.</summary>
internal static class QemuResources
{
    /// <summary>Where the balloon is, for <c>qom-get</c> and <c>qom-set</c>.</summary>
    public const string Balloon = "/machine/peripheral/balloon0";

    private const string Ram = "ram0";

    /// <summary>Value of <c>-smp</c>.</summary>
    public static string Processors(VirtualCpuSpec? cpu) =>
        Invariant($"cpus={cpu?.Count ?? 1},sockets={cpu?.Sockets ?? 1},cores={cpu?.Cores ?? 1},threads={cpu?.Threads ?? 1}");

    /// <summary>What the memory is made of; nothing where it is ordinary memory. All of it is taken at once, so that a node that has too little of it says so at the start.</summary>
    public static string[] Memory(VirtualMemorySpec memory) => memory.Hugepages is not { } pages ? [] :
    [
        "-object",
        Invariant($"memory-backend-memfd,id={Ram},size={MiB(memory.Size)}M,hugetlb=on,hugetlbsize={MiB(pages.PageSize)}M,prealloc=on"),
    ];

    /// <summary>What follows in the value of <c>-machine</c>.</summary>
    public static string MachineMemory(VirtualMemorySpec memory) => memory.Hugepages is null ? "" : $",memory-backend={Ram}";

    /// <summary>What follows in the value of <c>-netdev tap</c>.</summary>
    /// <param name="nics">All cards.</param>
    /// <param name="number">Which.</param>
    public static string Vhost(IReadOnlyList<QemuNic> nics, int number) => nics[number].IsVhost ? Invariant($",vhost=on,vhostfd={QemuNic.FirstVhostDescriptor + number}") : "";

    private static long MiB(Quantity bytes) => (long)(bytes.Value / (1 << 20));

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
