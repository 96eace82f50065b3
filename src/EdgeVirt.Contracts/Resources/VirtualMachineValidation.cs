using static EdgeVirt.Contracts.Resources.WorkloadValidation;

namespace EdgeVirt.Contracts.Resources;

/// <summary>The rules of a VirtualMachine that its types do not state. No reason repeats what may be confidential.</summary>
internal static partial class VirtualMachineValidation
{
    private const int MostCores = 255;
    private const decimal OneMebi = 1 << 20;
    private const decimal LeastMemory = 16 * OneMebi;

    // A guest finds each disk and each card as a device of its own: microvm has 24 places for them, q35 a few more, and the node
    // needs four itself (seed, random numbers, balloon, serial port).
    private const int MostDevices = 20;

    public static void Validate(VirtualMachineSpec spec, Validation v)
    {
        ValidatePlacement(spec.Placement, v);
        if (spec.TerminationGracePeriodSeconds is < 0 or > 3600)
        {
            v.Add("spec.terminationGracePeriodSeconds", "must be between 0 and 3600 (seconds)");
        }

        ValidateCpu(spec.Cpu, "spec.cpu", v);
        ValidateMemory(spec.Memory, "spec.memory", v);
        ValidateBoot(spec, v);
        ValidateDisks(spec.Disks ?? [], "spec.disks", v);
        ValidateInterfaces(spec.Interfaces ?? [], "spec.interfaces", v);
        if (spec.Disks?.Count + (spec.Interfaces?.Count ?? 1) > MostDevices)
        {
            v.Add("spec.disks", $"{spec.Disks!.Count} disks and {spec.Interfaces?.Count ?? 1} interfaces are more than the {MostDevices} devices that a machine has room for");
        }

        ValidateDisplay(spec, v);
        ValidateHardware(spec, v);
        ValidateHostDevices(spec, v);
        Validate(spec.CloudInit, "spec.cloudInit", v);
        ValidateSnapshots(spec, v);
        ValidatePullSecrets(spec.ImagePullSecrets ?? [], "spec.imagePullSecrets", v);
    }

    private static void ValidateDisplay(VirtualMachineSpec spec, Validation v)
    {
        switch (spec.Machine, spec.Display?.Type)
        {
            case (VirtualMachineModel.MicroVm, VirtualDisplayType.Vga or VirtualDisplayType.Virtio):
                v.Add("spec.display.type", "MicroVm has no place for a graphics card: leave it out, or use Q35");
                break;
            case (VirtualMachineModel.Virt, VirtualDisplayType.Vga):
                v.Add("spec.display.type", "Vga is for x86-64, and Virt is a machine of arm64: use Virtio");
                break;
        }
    }

    private static void Image(string reference, string path, Validation v)
    {
        if (!ImageReference.TryParse(reference, out _, out var problem))
        {
            v.Add(path, problem);
        }
    }

    /// <summary>A path that names a file.</summary>
    private static void FilePath(string? file, string path, Validation v)
    {
        if (file is not null && (!IsAbsolute(file) || file.EndsWith('/')))
        {
            v.Add(path, "must be the absolute path of a file, without '..'");
        }
    }
}
