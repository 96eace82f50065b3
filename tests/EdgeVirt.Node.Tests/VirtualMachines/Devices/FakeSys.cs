using EdgeVirt.Node.VirtualMachines.Devices;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Devices;

/// <summary>Devices as a kernel shows them, and drivers that are bound as a kernel does it.</summary>
internal sealed class FakeSys : IDisposable
{
    private readonly TempDirectory directory = new();
    private readonly Dictionary<string, string> overrides = [];
    private readonly Dictionary<string, string> own = [];

    public FakeSys()
    {
        Roots = new HostRoots(directory.Subdirectory("sys"), directory.Subdirectory("dev"), directory.Subdirectory("proc"));
        Directory.CreateDirectory(Path.Combine(Roots.Sys, "bus/pci/drivers/vfio-pci"));
        Directory.CreateDirectory(Path.Combine(Roots.Sys, "bus/usb/devices/usb1"));
        Directory.CreateDirectory(Path.Combine(Roots.Sys, "bus/usb/devices/1-1:1.0"));
        Directory.CreateDirectory(Path.Combine(Roots.Dev, "vfio"));
        Directory.CreateDirectory(Path.Combine(Roots.Proc, "self"));
        Pci = new PciBus(Roots, Write);
    }

    public HostRoots Roots { get; }

    public PciBus Pci { get; }

    public void AddPci(string address, string? driver, string? group, string kind = "0x020000")
    {
        var at = Device(address);
        Directory.CreateDirectory(at);
        File.WriteAllText(Path.Combine(at, "class"), kind + "\n");
        if (driver is not null)
        {
            own[address] = driver;
            Bind(address, driver);
        }

        if (group is not null)
        {
            var members = Path.Combine(Roots.Sys, "kernel/iommu_groups", group, "devices");
            Directory.CreateDirectory(members);
            Directory.CreateSymbolicLink(Path.Combine(members, address), at);
            Directory.CreateSymbolicLink(Path.Combine(at, "iommu_group"), Path.GetDirectoryName(members)!);
            File.WriteAllText(Path.Combine(Roots.Dev, "vfio", group), "");
        }
    }

    public string Device(string address) => Path.Combine(Roots.Sys, "bus/pci/devices", address);

    public string? DriverOf(string address) => Path.GetFileName(new FileInfo(Path.Combine(Device(address), "driver")).LinkTarget);

    public static void Put(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }

    public void AddUsb(string port, string vendor, string product, string number, string kind = "00")
    {
        foreach (var (name, text) in ((string, string)[])[("idVendor", vendor), ("idProduct", product), ("dev", number), ("bDeviceClass", kind)])
        {
            Put(Path.Combine(Roots.Sys, "bus/usb/devices", port, name), text + "\n");
        }
    }

    public void RemoveUsb(string port) => Directory.Delete(Path.Combine(Roots.Sys, "bus/usb/devices", port), recursive: true);

    public void Dispose() => directory.Dispose();

    // drivers/pci and base/dd.c of the kernel, as far as they matter here.
    private void Write(string path, string text)
    {
        var address = Path.GetFileName(Path.GetDirectoryName(path))!;
        switch (Path.GetFileName(path))
        {
            case "driver_override" when text == "\n":
                overrides.Remove(address);
                break;
            case "driver_override":
                overrides[address] = text;
                break;
            case "unbind":
                File.Delete(Path.Combine(Device(text), "driver"));
                break;
            case "drivers_probe" when DriverOf(text) is not null:
                break;
            case "drivers_probe":
                if ((overrides.GetValueOrDefault(text) ?? own.GetValueOrDefault(text)) is { } driver)
                {
                    Bind(text, driver);
                }

                break;
            default:
                throw new IOException($"nobody writes to {path}");
        }
    }

    private void Bind(string address, string driver)
    {
        var at = Path.Combine(Roots.Sys, "bus/pci/drivers", driver);
        Directory.CreateDirectory(at);
        Directory.CreateSymbolicLink(Path.Combine(Device(address), "driver"), at);
    }
}
