using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Qemu;

namespace EdgeVirt.Node.Tests.VirtualMachines.Qemu;

internal static class Guests
{
    public const string Uuid = "5f0c8a4e-1d2b-8c3d-9e4f-0a1b2c3d4e5f";

    public static readonly VmPaths Paths = new("/data/vm-1", "/run/e/vm/1");

    public static Quantity QuantityOf(string text) => Quantity.TryParse(text, out var quantity) ? quantity : throw new ArgumentException(text);

    public static QemuGuest Of(VirtualMachineModel? model = null, int? cores = null, QemuBoot? boot = null, QemuAcceleration? acceleration = null) => new()
    {
        Name = "router",
        Uuid = Uuid,
        Spec = new VirtualMachineSpec
        {
            Machine = model,
            Cpu = cores is { } some ? new VirtualCpuSpec { Cores = some } : null,
            Memory = new VirtualMemorySpec { Size = QuantityOf("256Mi") },
        },
        Boot = boot,
        Acceleration = acceleration ?? QemuAcceleration.Emulated,
    };
}
