namespace EdgeVirt.Contracts.Resources;

internal static partial class VirtualMachineValidation
{
    // COMMAND_LINE_SIZE of Linux on x86-64 and arm64, less the byte that ends it.
    private const int LongestCommandLine = 2047;

    private static void ValidateBoot(VirtualMachineSpec spec, Validation v)
    {
        var boot = spec.Boot;
        if (boot is not null && boot.Firmware is null == boot.Kernel is null)
        {
            v.Add("spec.boot", "give exactly one of firmware and kernel; without spec.boot it boots its disks by UEFI");
        }

        if (spec.Machine == VirtualMachineModel.MicroVm && boot?.Kernel is null)
        {
            v.Add("spec.machine", "MicroVm has no firmware that could boot a disk: give spec.boot.kernel, or use Q35");
        }

        if (spec.Machine == VirtualMachineModel.Virt && boot?.Firmware?.Type == VirtualFirmwareType.Bios)
        {
            v.Add("spec.boot.firmware.type", "Bios is for x86-64, and Virt is a machine of arm64: use Uefi");
        }

        if (boot?.Kernel is not { } kernel)
        {
            return;
        }

        Image(kernel.Image, "spec.boot.kernel.image", v);
        FilePath(kernel.Kernel, "spec.boot.kernel.kernel", v);
        FilePath(kernel.Initrd, "spec.boot.kernel.initrd", v);
        if (kernel.CommandLine is { } line && (line.Length > LongestCommandLine || line.Any(char.IsControl)))
        {
            v.Add("spec.boot.kernel.commandLine", $"must be one line of at most {LongestCommandLine} characters");
        }
    }
}
