using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>Where one virtual machine keeps what. Pure.</summary>
/// <param name="DataDirectory">What outlives a reboot: disks, variables, logs, its record.</param>
/// <param name="RunDirectory">What does not: sockets. Its user owns it.</param>
internal sealed record VmPaths(string DataDirectory, string RunDirectory)
{
    // Short, because the path of a Unix socket stays below 108 bytes.
    private const string RunName = "vm";

    /// <summary>Its monitor.</summary>
    public string Qmp => Path.Combine(RunDirectory, "qmp");

    /// <summary>Its serial console.</summary>
    public string Serial => Path.Combine(RunDirectory, "tty");

    /// <summary>Its display.</summary>
    public string Vnc => Path.Combine(RunDirectory, "vnc");

    /// <summary>Its TPM's control channel.</summary>
    public string Tpm => Path.Combine(RunDirectory, "tpm");

    /// <summary>What its TPM keeps.</summary>
    public string TpmState => Path.Combine(DataDirectory, "tpm");

    /// <summary>What the TPM's emulator said.</summary>
    public string TpmLog => Path.Combine(DataDirectory, "swtpm.log");

    /// <summary>The guest agent's channel.</summary>
    public string Agent => Path.Combine(RunDirectory, "qga");

    /// <summary>Where what guests write to the serial console is kept: a file system of its own in memory, which outlives their runs.</summary>
    public string ConsoleDirectory => RunDirectory + ".tty";

    /// <summary>What the serial console said.</summary>
    public string ConsoleLog => Path.Combine(ConsoleDirectory, "log");

    /// <summary>Where its memory passes when it is saved and restored.</summary>
    public string StateSocket => Path.Combine(RunDirectory, "state");

    /// <summary>Its guest's memory, while it is saved.</summary>
    public string SavedMemory => Path.Combine(DataDirectory, "memory");

    /// <summary>What QEMU itself said.</summary>
    public string QemuLog => Path.Combine(DataDirectory, "qemu.log");

    /// <summary>The variables of its UEFI.</summary>
    public string Variables => Path.Combine(DataDirectory, "variables.fd");

    /// <summary>What cloud-init is told. It may hold secrets, so it never lies on the disk.</summary>
    public string Seed => RunDirectory + ".iso";

    /// <summary>Texts for the guest, which may hold secrets; not on the disk either.</summary>
    public string Texts => RunDirectory + ".fw";

    /// <summary>Nodes of the node's devices that it has. Below /dev, since /run allows none.</summary>
    public string Nodes => Path.Combine("/dev/edgevirt", ShortHash(RunDirectory));

    /// <summary>The node of one of them.</summary>
    public string Node(string name) => Path.Combine(Nodes, name);

    /// <summary>The file of a disk.</summary>
    public string Disk(string name) => Path.Combine(DataDirectory, "disks", name);

    /// <summary>The file of a layer of a disk; layer 0 is the one that the disk began with. Names of disks have no dot.</summary>
    public string Layer(string disk, int number) => number == 0 ? Disk(disk) : $"{Disk(disk)}.{number.ToString("x", CultureInfo.InvariantCulture)}";

    /// <summary>Beginning of the names of files that leave the node and then go.</summary>
    public string Export => Path.Combine(DataDirectory, "export-");

    /// <summary>What is known of its snapshots.</summary>
    public string Snapshots => Path.Combine(DataDirectory, "snapshots.json");

    /// <summary>Those of a machine of this node.</summary>
    /// <param name="options">Say where the node keeps things.</param>
    /// <param name="id">The machine's id on the node.</param>
    public static VmPaths Of(NodeOptions options, string id) => new(
        Path.GetFullPath(Path.Combine(options.DataDir, "virtual-machines", id)),
        Path.GetFullPath(Path.Combine(options.RunDir, RunName, ShortHash(id))));

    private static string ShortHash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 4));
}
