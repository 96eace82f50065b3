using EdgeVirt.Contracts.Resources;
using static EdgeVirt.Node.VirtualMachines.Qemu.QemuCommandLine;

namespace EdgeVirt.Node.VirtualMachines.Qemu;

/// <summary>QEMU's arguments for what a guest has beside disks, cards and screen. Pure.</summary>
internal static class QemuHardware
{
    public static IReadOnlyList<string> For(QemuGuest guest, VmPaths paths) =>
    [
        .. Smbios(guest),
        .. guest.Texts.Firmware.SelectMany(text => (string[])["-fw_cfg", $"name={Escaped(text.Name)},file={Escaped(text.Path)}"]),
        .. Watchdog(guest.Spec.Watchdog),
        .. Tpm(guest.Spec, paths),
        .. QemuHostDevices.For(guest, paths),
    ];

    // Added to what the machine says of itself anyway.
    private static IEnumerable<string> Smbios(QemuGuest guest)
    {
        if (guest.Spec.Smbios is { } smbios)
        {
            (string, string?)[] fields = [("serial", smbios.Serial), ("sku", smbios.Sku), ("family", smbios.Family), ("version", smbios.Version)];
            var given = string.Concat(fields.Where(field => field.Item2 is not null).Select(field => $",{field.Item1}={Escaped(field.Item2!)}"));
            if (given.Length > 0)
            {
                yield return "-smbios";
                yield return $"type=1{given}";
            }
        }

        foreach (var path in guest.Texts.OemStrings)
        {
            yield return "-smbios";
            yield return $"type=11,path={Escaped(path)}";
        }
    }

    // Power is cut by the agent, once the guest stands still: QEMU's own way leaves out what has not reached the disks.
    private static string[] Watchdog(VirtualWatchdogSpec? watchdog) => watchdog is null ? [] :
    [
        "-device", "i6300esb,id=watchdog0",
        "-action", $"watchdog={(watchdog.Action is null or VirtualWatchdogAction.Reset ? "reset" : "pause")}",
    ];

    private static string[] Tpm(VirtualMachineSpec spec, VmPaths paths) => spec.Tpm is not { } tpm ? [] :
    [
        "-chardev", $"socket,id=tpm0-control,path={Escaped(paths.Tpm)}",
        "-tpmdev", "emulator,id=tpm0,chardev=tpm0-control",
        "-device", (spec.Machine, tpm.Model) switch
        {
            (VirtualMachineModel.Virt, _) => "tpm-tis-device,tpmdev=tpm0",
            (_, VirtualTpmModel.Tis) => "tpm-tis,tpmdev=tpm0",
            _ => "tpm-crb,tpmdev=tpm0",
        },
    ];
}
