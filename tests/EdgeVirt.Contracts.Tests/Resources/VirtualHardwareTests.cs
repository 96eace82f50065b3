using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Resources;

/// <summary>What a machine has beside disks and cards, and what it gets of the node.</summary>
internal sealed class VirtualHardwareTests
{
    private const string Micro = "machine: MicroVm, boot: {kernel: {image: 'r.local/k:1', kernel: /vmlinuz}}, ";

    [Test]
    public void All_of_it_is_read()
    {
        var result = Parse(
            """
            smbios: {serial: SN-1, sku: 'a,b', family: meters, version: '3', oemStrings: [{value: 'io.systemd.credential:site=oslo'}, {valueFrom: {secretKeyRef: {name: s, key: cred}}}]},
            firmwareConfig: [{name: opt/org.example/site, value: harbour}, {name: opt/org.example/token, valueFrom: {secretKeyRef: {name: s, key: token, optional: true}}}],
            ignition: {config: '{"ignition": {"version": "3.4.0"}}'}, watchdog: {action: Poweroff}, tpm: {model: Tis},
            devices: [{name: stick, usb: {vendor: '0403', product: '6001', port: 1-1.2}}, {name: card, pci: {address: '0000:03:00.0', managed: true}}, {name: line, serial: {path: /dev/ttyUSB0}}, {name: gps, serial: {name: gps}}]
            """.ReplaceLineEndings(" "));
        Assert.That(result.Errors, Is.Empty);
        var spec = result.Resources.Single().SpecOf<VirtualMachineSpec>();
        Assert.Multiple(() =>
        {
            Assert.That((spec.Smbios!.Serial, spec.Smbios.OemStrings![1].ValueFrom!.SecretKeyRef!.Key), Is.EqualTo(("SN-1", "cred")));
            Assert.That(spec.FirmwareConfig!.Select(entry => (entry.Name, entry.Value)), Is.EqualTo(new[] { ("opt/org.example/site", "harbour"), ("opt/org.example/token", (string?)null) }));
            Assert.That((spec.Watchdog!.Action, spec.Tpm!.Model), Is.EqualTo((VirtualWatchdogAction.Poweroff, VirtualTpmModel.Tis)));
            Assert.That((spec.Devices![0].Usb!.Vendor, spec.Devices[1].Pci!.Managed, spec.Devices[2].Serial!.Path), Is.EqualTo(("0403", true, "/dev/ttyUSB0")));
        });
    }

    [TestCase("smbios: {serial: ''}", "smbios.serial", "1 to 64 printable")]
    [TestCase("smbios: {family: \"a\\nb\"}", "smbios.family", "printable")]
    [TestCase(Micro + "smbios: {serial: a}", "smbios", "use Q35")]
    [TestCase("smbios: {oemStrings: [{}]}", "smbios.oemStrings[0]", "exactly one of value and valueFrom")]
    [TestCase("smbios: {oemStrings: [{value: \"a\\nb\"}]}", "smbios.oemStrings[0].value", "io.systemd.credential.binary")]
    [TestCase("smbios: {oemStrings: [{valueFrom: {}}]}", "smbios.oemStrings[0].valueFrom", "secretKeyRef and configKeyRef")]
    [TestCase("smbios: {oemStrings: [{valueFrom: {secretKeyRef: {name: S, key: k}}}]}", "smbios.oemStrings[0].valueFrom", "'S' must be lower-case")]
    [TestCase("firmwareConfig: [{name: etc/table-loader, value: a}]", "firmwareConfig[0].name", "begin with opt/")]
    [TestCase("firmwareConfig: [{name: 'opt/a,file=/etc/shadow', value: a}]", "firmwareConfig[0].name", "begin with opt/")]
    [TestCase("firmwareConfig: [{name: opt/a, value: a}, {name: opt/a, value: b}]", "firmwareConfig[1].name", "there twice")]
    [TestCase("firmwareConfig: [{name: opt/ovmf/X-PciMmio64Mb, value: '1'}]", "firmwareConfig[0].name", "firmware itself")]
    [TestCase("firmwareConfig: [{name: opt/com.coreos/config, value: a}], ignition: {configSecret: {name: s}}", "firmwareConfig[0].name", "spec.ignition")]
    [TestCase("ignition: {}", "ignition", "exactly one of config and configSecret")]
    [TestCase("ignition: {configSecret: {name: S}}", "ignition.configSecret.name", "'S' must be lower-case")]
    [TestCase("ignition: {config: 'variant: fcos'}", "ignition.config", "butane")]
    [TestCase("ignition: {config: '{}'}", "ignition.config", "ignition.version")]
    [TestCase(Micro + "watchdog: {}", "watchdog", "use Q35")]
    [TestCase("watchdog: {action: Dump}", "watchdog.action", "Reset, Poweroff, Pause")]
    [TestCase(Micro + "tpm: {}", "tpm", "use Q35")]
    [TestCase("machine: Virt, tpm: {model: Crb}", "tpm.model", "use Tis")]
    public void Hardware_that_cannot_be_is_refused_by_field(string spec, string field, string reason) => Refuses(spec, field, reason);

    [TestCase("{name: a}", "[0]", "exactly one of usb, pci and serial")]
    [TestCase("{name: a, usb: {port: 1-1}, serial: {path: /dev/ttyS1}}", "[0]", "exactly one of usb, pci and serial")]
    [TestCase("{name: A, usb: {port: 1-1}}", "[0].name", "'A' must be lower-case")]
    [TestCase("{name: a, usb: {port: 1-1}}, {name: a, usb: {port: 1-2}}", "[1].name", "there twice")]
    [TestCase("{name: a, usb: {port: 1-1}}, {name: b, usb: {port: 1-1}}", "[1]", "same device")]
    [TestCase("{name: a, usb: {}}", "[0].usb", "vendor and product, or port")]
    [TestCase("{name: a, usb: {vendor: '0403'}}", "[0].usb", "vendor and product, or port")]
    [TestCase("{name: a, usb: {vendor: '403', product: '6001'}}", "[0].usb.vendor", "four hexadecimal digits")]
    [TestCase("{name: a, usb: {port: ../x}}", "[0].usb.port", "1-1.2")]
    [TestCase("{name: a, pci: {address: '03:00.0'}}", "[0].pci.address", "0000:03:00.0")]
    [TestCase("{name: a, pci: {address: '0000:03:00.8'}}", "[0].pci.address", "0000:03:00.0")]
    [TestCase("{name: a, serial: {}}", "[0].serial", "exactly one of path and name")]
    [TestCase("{name: a, serial: {path: /etc/passwd}}", "[0].serial.path", "below /dev")]
    [TestCase("{name: a, serial: {path: '/dev/ttyUSB*'}}", "[0].serial.path", "one device")]
    [TestCase("{name: a, serial: {name: G}}", "[0].serial.name", "'G' must be lower-case")]
    [TestCase("{name: a, gpio: {path: /dev/gpiochip0}}", "[0].gpio", "not supported")]
    public void A_device_that_cannot_be_is_refused_by_field(string devices, string field, string reason) => Refuses($"devices: [{devices}]", "devices" + field, reason);

    [Test]
    public void There_is_no_more_of_anything_than_a_machine_has_room_for()
    {
        static string Many(int count, Func<int, string> one) => string.Join(", ", Enumerable.Range(0, count).Select(one));
        Refuses($"firmwareConfig: [{Many(33, i => $"{{name: opt/a{i}, value: a}}")}]", "firmwareConfig", "up to 32");
        Refuses($"smbios: {{oemStrings: [{Many(65, _ => "{value: a}")}]}}", "smbios.oemStrings", "up to 64");
        Refuses($"smbios: {{oemStrings: [{{value: {new string('a', 4097)}}}]}}", "smbios.oemStrings[0].value", "1 to 4096");
        Refuses($"firmwareConfig: [{{name: opt/a, value: {new string('a', 65_537)}}}]", "firmwareConfig[0].value", "at most 65536");
        Refuses($"firmwareConfig: [{{name: opt/{new string('a', 52)}, value: a}}]", "firmwareConfig[0].name", "5 to 55");
        Refuses($"devices: [{Many(17, i => $"{{name: d{i}, usb: {{port: 1-{i}}}}}")}]", "devices", "up to 16");
        Refuses($"devices: [{Many(5, i => $"{{name: d{i}, serial: {{path: /dev/ttyS{i}}}}}")}]", "devices", "up to 4 of them serial");
        Refuses($"devices: [{Many(16, i => $"{{name: d{i}, pci: {{address: '0000:03:{i:x2}.0'}}}}")}], disks: [{Many(4, i => $"{{name: d{i}, empty: {{}}, size: 1Gi}}")}]", "devices", "more than the 20 devices");
        Refuses(Micro + "devices: [{name: a, usb: {port: 1-1}}]", "devices", "use Q35");
    }

    private static void Refuses(string spec, string field, string reason)
    {
        var error = Parse(spec).Errors.Single();
        Assert.That(error.Field, Is.EqualTo("spec." + field));
        Assert.That(error.Reason, Does.Contain(reason));
    }

    private static ManifestResult Parse(string spec) => Manifest.Parse($"apiVersion: edgevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: guest}}\nspec: {{memory: {{size: 512Mi}}, {spec}}}\n");
}
