namespace EdgeVirt.Testing.Boards;

/// <summary>
/// QEMU's Raspberry Pi 4, as far as it goes. There is no firmware: kernel, initial file system, device tree and command line are given to QEMU as the slot of the
/// image has them. Its card is on USB, and so is its network.
/// </summary>
internal static class RaspberryPi4
{
    // What QEMU's machine lacks and a Pi has; the image's own command line stands before it.
    private const string Missing =
        // Nobody answers where the HDMI ports have their interrupts and wires, and their clocks: an access ends the kernel.
        "initcall_blacklist=brcmstb_l2_driver_init,brcmstb_i2c_driver_init,bcm2835aux_serial_driver_init clk_ignore_unused " +
        // The second serial port asks for attention without end. The first one is Bluetooth's: only the kernel's messages come out there.
        "earlycon=pl011,mmio32,0xfe201000 keep_bootcon loglevel=6 systemd.log_target=kmsg systemd.journald.forward_to_kmsg=1 " +
        // The watchdog starts the board again at once.
        "systemd.watchdog_sec=0 " +
        // QEMU's network card speaks what this driver takes for its own.
        "module_blacklist=cdc_subset";

    private static string Tools => RepositoryRoot.Combine("artifacts/images/node/.tools");

    /// <summary>The program: from the root of tools that made the image, as the QEMU of Debian 12 has no such machine.</summary>
    public static string Program => Path.Combine(Tools, "lib64/ld-linux-x86-64.so.2");

    /// <summary>Its arguments but those of the console.</summary>
    /// <param name="slot">The directory with the files of a slot.</param>
    /// <param name="disk">The card.</param>
    /// <param name="link">A tap.</param>
    /// <param name="mac">Address of its network card.</param>
    public static string[] Arguments(string slot, string disk, string link, string mac) =>
    [
        "--library-path", Path.Combine(Tools, "usr/lib/x86_64-linux-gnu"), Path.Combine(Tools, "usr/bin/qemu-system-aarch64"), "-L", Path.Combine(Tools, "usr/share/qemu"),
        "-nodefaults", "-no-user-config", "-display", "none", "-machine", "raspi4b", "-accel", "tcg,thread=multi",
        "-kernel", Path.Combine(slot, "vmlinuz"), "-initrd", Path.Combine(slot, "initrd.img"), "-dtb", Path.Combine(slot, "bcm2711-rpi-4-b.dtb"),
        "-append", $"{File.ReadAllText(Path.Combine(slot, "cmdline.txt")).Trim()} {Missing}",
        "-drive", $"file={disk},format=raw,if=none,id=card,cache=writeback", "-device", "usb-hub,port=1", "-device", "usb-storage,drive=card,port=1.1",
        "-netdev", $"tap,id=uplink,ifname={link},script=no,downscript=no", "-device", $"usb-net,netdev=uplink,port=1.2,mac={mac}",
    ];
}
