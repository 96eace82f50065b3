using System.Runtime.InteropServices;

namespace EdgeVirt.Node.VirtualMachines.Qemu;

/// <summary>A virtual machine cannot be started. The message says what to do.</summary>
internal sealed class VmStartException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>What this node has installed to run virtual machines with.</summary>
internal static class QemuPrograms
{
    private static readonly string[] Folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

    // The firmware and the variables that it begins with, in Debian's places; the 4M builds are the newer ones.
    private static readonly (Architecture Architecture, string Code, string Variables)[] Firmware =
    [
        (Architecture.X64, "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
        (Architecture.X64, "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
        (Architecture.Arm64, "/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
    ];

    /// <summary>QEMU for guests of this node's architecture.</summary>
    /// <exception cref="VmStartException">It is not installed.</exception>
    public static string Qemu => RuntimeInformation.ProcessArchitecture == Architecture.Arm64
        ? Find("qemu-system-aarch64", "qemu-system-arm")
        : Find("qemu-system-x86_64", "qemu-system-x86");

    /// <summary>Gives up what the agent may do before QEMU begins.</summary>
    /// <exception cref="VmStartException">It is not installed.</exception>
    public static string SetPriv => Find("setpriv", "util-linux");

    /// <summary>Limits what a program may take.</summary>
    /// <exception cref="VmStartException">It is not installed.</exception>
    public static string PrLimit => Find("prlimit", "util-linux");

    /// <summary>Looks at and makes disks.</summary>
    /// <exception cref="VmStartException">It is not installed.</exception>
    public static string QemuImg => Find("qemu-img", "qemu-utils");

    /// <summary>Emulates a TPM.</summary>
    /// <exception cref="VmStartException">It is not installed.</exception>
    public static string Swtpm => Find("swtpm", "swtpm");

    /// <summary>Writes ISO 9660.</summary>
    /// <exception cref="VmStartException">It is not installed.</exception>
    public static string Xorriso => Find("xorriso", "xorriso");

    /// <summary>UEFI for this node's architecture, and the variables to begin with.</summary>
    /// <exception cref="VmStartException">It is not installed.</exception>
    public static (string Code, string Variables) Uefi =>
        Firmware.Where(found => found.Architecture == RuntimeInformation.ProcessArchitecture && File.Exists(found.Code) && File.Exists(found.Variables))
            .Select(found => ((string Code, string Variables)?)(found.Code, found.Variables))
            .FirstOrDefault() ??
        throw new VmStartException(
            $"there is no UEFI firmware on the node: install {(RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "qemu-efi-aarch64" : "ovmf")}, or let the machine boot by boot.kernel");

    /// <summary>What every machine needs and is not installed, as a sentence that says what to install; null: all is there.</summary>
    public static string? Missing()
    {
        foreach (var program in (Func<string>[])[() => Qemu, () => QemuImg, () => SetPriv, () => PrLimit])
        {
            try
            {
                _ = program();
            }
            catch (VmStartException e)
            {
                return e.Message;
            }
        }

        return null;
    }

    private static string Find(string name, string package) =>
        Folders.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists) ?? throw new VmStartException($"{name} is not installed; install the package {package}");
}
