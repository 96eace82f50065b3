using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Resources;

internal sealed class VirtualMachineTests
{
    private const string Memory = "memory: {size: 512Mi}";
    private const string Disk = "disks: [{name: a, empty: {}, size: 1Gi}]";
    private const string Sha = "0123456789abcdefABCDEF0123456789abcdef0123456789abcdef0123456789";
    private const string Key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ ops@example";

    private static readonly string Long = new('x', 65_537);

    [Test]
    public void A_machine_with_everything_is_read()
    {
        var result = Manifest.Parse("""
            apiVersion: edgevirt.io/v1
            kind: VirtualMachine
            metadata: {name: meter, labels: {app: meter}}
            spec:
              placement: {nodeSelector: {site: oslo}, replicas: 2}
              power: Stopped
              restartPolicy: OnFailure
              terminationGracePeriodSeconds: 90
              acceleration: Preferred
              machine: Q35
              cpu: {cores: 2, limit: 1500m}
              memory: {size: 1Gi}
              boot: {firmware: {type: Bios}}
              disks:
              - {name: root, image: {reference: 'registry.local/debian:13', pullPolicy: Always, path: /disk/debian.qcow2}, size: 10G}
              - {name: tools, url: {location: 'http://mirror.local:8080/tools.img?v=2', sha256: 0123456789abcdefABCDEF0123456789abcdef0123456789abcdef0123456789}, readOnly: true}
              - {name: data, empty: {}, size: 20Gi}
              interfaces:
              - {name: lan, macAddress: '52:54:00:AB:cd:01', ports: [{containerPort: 22, hostPort: 2222, hostIP: 127.0.0.1}, {containerPort: 502}]}
              cloudInit:
                userData: |
                  #cloud-config
                  packages: [chrony]
                networkConfig: |
                  network:
                    version: 2
                sshAuthorizedKeys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ ops@example]
                hostname: meter.example.org
              imagePullSecrets: [{name: registry}]
            """);
        Assert.That(result.Errors, Is.Empty);
        var spec = result.Resources.Single().SpecOf<VirtualMachineSpec>();
        Assert.Multiple(() =>
        {
            Assert.That((spec.Power, spec.RestartPolicy, spec.Acceleration, spec.Machine), Is.EqualTo(
                (VirtualMachinePower.Stopped, RestartPolicy.OnFailure, VirtualMachineAcceleration.Preferred, VirtualMachineModel.Q35)));
            Assert.That(spec.Memory.Size.Value, Is.EqualTo(1L << 30));
            Assert.That(spec.Disks!.Select(disk => (disk.Name, disk.Image is not null, disk.Url is not null, disk.Empty is not null, disk.ReadOnly)), Is.EqualTo(
                new[] { ("root", true, false, false, false), ("tools", false, true, false, true), ("data", false, false, true, false) }));
            Assert.That(spec.Disks![0].Image!.PullPolicy, Is.EqualTo(ImagePullPolicy.Always));
            Assert.That(spec.Interfaces!.Single().Ports![0].HostPort, Is.EqualTo(2222));
        });
    }

    [Test]
    public void Memory_is_all_that_must_be_said()
    {
        var spec = Parse(Memory).Resources.Single().SpecOf<VirtualMachineSpec>();
        Assert.That((spec.Power, spec.Acceleration, spec.Machine, spec.Boot, spec.Interfaces), Is.EqualTo(
            ((VirtualMachinePower?)null, (VirtualMachineAcceleration?)null, (VirtualMachineModel?)null, (VirtualMachineBoot?)null, (IReadOnlyList<VirtualInterfaceSpec>?)null)));
        Assert.That(spec.RestartPolicy, Is.EqualTo(RestartPolicy.Always));
    }

    [TestCase("cpu: {cores: 1}", "memory", "required")]
    [TestCase("memory: {size: 15Mi}", "memory.size", "whole MiB and at least 16Mi")]
    [TestCase("memory: {size: 100M}", "memory.size", "'100M' must be whole MiB")]
    [TestCase(Memory + ", cpu: {cores: 0}", "cpu.cores", "between 1 and 255")]
    [TestCase(Memory + ", cpu: {cores: 256}", "cpu.cores", "between 1 and 255")]
    [TestCase(Memory + ", cpu: {limit: 9m}", "cpu.limit", "at least 10m")]
    [TestCase(Memory + ", terminationGracePeriodSeconds: -1", "terminationGracePeriodSeconds", "between 0 and 3600")]
    [TestCase(Memory + ", power: Off", "power", "Running, Stopped, Paused")]
    [TestCase(Memory + ", placement: {replicas: -1}", "placement.replicas", "not be negative")]
    [TestCase(Memory + ", placement: {nodeSelector: {'a b': c}}", "placement.nodeSelector.a b", "no label key")]
    [TestCase(Memory + ", imagePullSecrets: [{name: r}, {name: r}]", "imagePullSecrets[1].name", "there twice")]
    public void A_machine_that_cannot_be_is_refused_by_field(string spec, string field, string reason) => Refuses(spec, field, reason);

    [TestCase(Memory + ", cpu: {sockets: 0}", "cpu.sockets", "between 1 and 255")]
    [TestCase(Memory + ", cpu: {threads: 256}", "cpu.threads", "between 1 and 255")]
    [TestCase(Memory + ", cpu: {sockets: 4, cores: 32, threads: 2}", "cpu", "are 256 processors; a machine has at most 255")]
    [TestCase(Memory + ", cpu: {cores: 2, threads: 2, limit: 3, dedicatedCpuPlacement: true}", "cpu.limit", "'3' is less than the 4 processors")]
    [TestCase("memory: {size: 512Mi, minimum: 100M}", "memory.minimum", "whole MiB and at least 16Mi")]
    [TestCase("memory: {size: 512Mi, minimum: 513Mi}", "memory.minimum", "more than the size 512Mi")]
    [TestCase("memory: {size: 512Mi, minimum: 256Mi, hugepages: {pageSize: 2Mi}}", "memory.minimum", "not for a machine with hugepages")]
    [TestCase("memory: {size: 512Mi, hugepages: {}}", "memory.hugepages.pageSize", "required")]
    [TestCase("memory: {size: 512Mi, hugepages: {pageSize: 4Ki}}", "memory.hugepages.pageSize", "must be 2Mi or 1Gi")]
    [TestCase("memory: {size: 511Mi, hugepages: {pageSize: 2Mi}}", "memory.size", "multiple of the huge pages' size 2Mi")]
    [TestCase("memory: {size: 1536Mi, hugepages: {pageSize: 1Gi}}", "memory.size", "multiple of the huge pages' size 1Gi")]
    [TestCase(Memory + ", interfaces: [{name: lan, bandwidth: {ingress: 7k}}]", "interfaces[0].bandwidth.ingress", "between 8k and 1T bits per second")]
    [TestCase(Memory + ", interfaces: [{name: lan, bandwidth: {egress: 2T}}]", "interfaces[0].bandwidth.egress", "between 8k and 1T bits per second")]
    public void Resources_that_cannot_be_are_refused_by_field(string spec, string field, string reason) => Refuses(spec, field, reason);

    [Test]
    public void Resources_are_read()
    {
        var spec = Parse("""
            cpu: {sockets: 2, cores: 2, threads: 2, dedicatedCpuPlacement: true}, memory: {size: 2Gi, hugepages: {pageSize: 1Gi}},
              interfaces: [{name: lan, bandwidth: {ingress: 10M, egress: 500k}}]
            """).Resources.Single().SpecOf<VirtualMachineSpec>();
        Assert.That((spec.Cpu!.Count, spec.Cpu.DedicatedCpuPlacement, spec.Memory.Hugepages!.PageSize.Value), Is.EqualTo((8, true, (decimal)(1 << 30))));
        Assert.That((spec.Interfaces![0].Bandwidth!.Ingress!.Value.Value, spec.Interfaces[0].Bandwidth!.Egress!.Value.Value), Is.EqualTo((10_000_000m, 500_000m)));
        Assert.That(Parse("memory: {size: 512Mi, minimum: 512Mi}").Errors, Is.Empty);
    }

    [TestCase("boot: {}", "boot", "exactly one of firmware and kernel")]
    [TestCase("boot: {firmware: {}, kernel: {image: 'r.local/k:1', kernel: /vmlinuz}}", "boot", "exactly one of firmware and kernel")]
    [TestCase("boot: {kernel: {image: k, kernel: /vmlinuz}}", "boot.kernel.image", "names no registry")]
    [TestCase("boot: {kernel: {image: 'r.local/k:1', kernel: vmlinuz}}", "boot.kernel.kernel", "absolute path of a file")]
    [TestCase("boot: {kernel: {image: 'r.local/k:1', kernel: /boot/}}", "boot.kernel.kernel", "absolute path of a file")]
    [TestCase("boot: {kernel: {image: 'r.local/k:1', kernel: /vmlinuz, initrd: /a/../b}}", "boot.kernel.initrd", "without '..'")]
    [TestCase("boot: {kernel: {image: 'r.local/k:1', kernel: /vmlinuz, commandLine: \"a\\nb\"}}", "boot.kernel.commandLine", "one line")]
    [TestCase("machine: MicroVm", "machine", "give spec.boot.kernel, or use Q35")]
    [TestCase("machine: MicroVm, boot: {firmware: {}}", "machine", "give spec.boot.kernel, or use Q35")]
    [TestCase("machine: Virt, boot: {firmware: {type: Bios}}", "boot.firmware.type", "use Uefi")]
    [TestCase("machine: MicroVm, display: {type: Vga}, boot: {kernel: {image: 'r.local/k:1', kernel: /vmlinuz}}", "display.type", "no place for a graphics card")]
    [TestCase("machine: Virt, display: {type: Vga}", "display.type", "use Virtio")]
    [TestCase("display: {type: Qxl}", "display.type", "Vga")]
    public void What_cannot_boot_is_refused_by_field(string boot, string field, string reason) => Refuses($"{Memory}, {boot}", field, reason);

    [TestCase("boot: {firmware: {}}")]
    [TestCase("boot: {firmware: {type: Bios}}")]
    [TestCase("machine: MicroVm, boot: {kernel: {image: 'oci:/images/k:1', kernel: /vmlinuz, initrd: /initrd, commandLine: console=ttyS0 quiet}}")]
    [TestCase("machine: Virt, boot: {kernel: {image: 'r.local/k:1', kernel: /vmlinuz}}")]
    [TestCase("display: {type: Virtio}")]
    [TestCase("display: {}")]
    [TestCase("machine: MicroVm, display: {type: None}, boot: {kernel: {image: 'r.local/k:1', kernel: /vmlinuz}}")]
    public void What_can_boot_is_taken(string boot) => Assert.That(Parse($"{Memory}, {boot}").Errors, Is.Empty);

    [TestCase("{name: a}", "[0]", "exactly one of image, url, cloneOf and empty")]
    [TestCase("{name: a, empty: {}, size: 1Gi, image: {reference: 'r.local/d:1'}}", "[0]", "exactly one of image, url, cloneOf and empty")]
    [TestCase("{name: A, image: {reference: 'r.local/d:1'}}", "[0].name", "'A' must be lower-case")]
    [TestCase("{name: a, image: {reference: 'r.local/d:1'}}, {name: a, image: {reference: 'r.local/d:1'}}", "[1].name", "'a' is there twice")]
    [TestCase("{name: data-of-the-customer-1, empty: {}, size: 1Gi}, {name: data-of-the-customer-2, empty: {}, size: 1Gi}", "[1].name", "first 20 characters")]
    [TestCase("{name: a, image: {reference: debian}}", "[0].image.reference", "names no registry")]
    [TestCase("{name: a, image: {reference: 'r.local/d:1', path: disk/a.img}}", "[0].image.path", "absolute path of a file")]
    [TestCase("{name: a, image: {reference: 'r.local/d:1', path: /disk/../../a.img}}", "[0].image.path", "without '..'")]
    [TestCase("{name: a, empty: {}}", "[0].size", "required for an empty disk")]
    [TestCase("{name: a, empty: {}, size: 1Gi, readOnly: true}", "[0].readOnly", "nothing would ever be on it")]
    [TestCase("{name: a, image: {reference: 'r.local/d:1'}, readOnly: true, cache: None}", "[0].cache", "leave it out")]
    [TestCase("{name: a, image: {reference: 'r.local/d:1'}, readOnly: true, discard: Ignore}", "[0].discard", "leave it out")]
    [TestCase("{name: a, cloneOf: {machine: b}}", "[0].cloneOf.disk", "required")]
    [TestCase("{name: a, cloneOf: {machine: ../b, disk: root}}", "[0].cloneOf.machine", "'../b'")]
    [TestCase("{name: a, cloneOf: {machine: b, disk: root, snapshot: 'A B'}}", "[0].cloneOf.snapshot", "'A B'")]
    [TestCase("{name: a, empty: {}, size: 1000Ki}", "[0].size", "at least 1Mi")]
    [TestCase("{name: a, empty: {}, size: 2000001}", "[0].size", "a multiple of 512")]
    [TestCase("{name: a, url: {location: 'https://m.local/a.img'}}", "[0].url.sha256", "required")]
    [TestCase("{name: a, url: {location: 'https://m.local/a.img', sha256: abc}}", "[0].url.sha256", "64 hexadecimal digits")]
    [TestCase("{name: a, url: {location: 'https://m.local/a.img', sha256: g123456789abcdefABCDEF0123456789abcdef0123456789abcdef0123456789}}", "[0].url.sha256", "64 hexadecimal digits")]
    public void A_disk_that_cannot_be_is_refused_by_field(string disks, string field, string reason) => Refuses($"{Memory}, disks: [{disks}]", "disks" + field, reason);

    [TestCase("ftp://m.local/a.img", "begins with https://")]
    [TestCase("/srv/a.img", "begins with https://")]
    [TestCase("file:///srv/a.img", "begins with https://")]
    [TestCase("https://m.local/a b.img", "begins with https://")]
    [TestCase("https://", "begins with https://")]
    [TestCase("https://joe:hunter2@m.local/a.img", "must not hold a user or password")]
    [TestCase("https://m.local/a.img#part", "'#' part")]
    public void An_address_that_cannot_be_is_refused_and_not_repeated(string location, string reason)
    {
        var text = $"{Memory}, disks: [{{name: a, url: {{location: '{location}', sha256: {Sha}}}}}]";
        Refuses(text, "disks[0].url.location", reason);
        Assert.That(Parse(text).Errors.Single().Reason, Does.Not.Contain("hunter2"));
    }

    [TestCase("{name: eth0, macAddress: '52:54:00:12:34'}", "[0].macAddress", "six pairs")]
    [TestCase("{name: eth0, macAddress: 52-54-00-12-34-56}", "[0].macAddress", "six pairs")]
    [TestCase("{name: eth0, macAddress: '53:54:00:12:34:56'}", "[0].macAddress", "address of a group")]
    [TestCase("{name: eth0, macAddress: 'ff:ff:ff:ff:ff:ff'}", "[0].macAddress", "address of a group")]
    [TestCase("{name: eth0, macAddress: '00:00:00:00:00:00'}", "[0].macAddress", "nobody's address")]
    [TestCase("{name: a, macAddress: '52:54:00:12:34:AB'}, {name: b, macAddress: '52:54:00:12:34:ab'}", "[1].macAddress", "there twice")]
    [TestCase("{name: a}, {name: a}", "[1].name", "there twice")]
    [TestCase("{name: a_b}", "[0].name", "'a_b' must be lower-case")]
    [TestCase("{name: a, ports: [{containerPort: 0}]}", "[0].ports[0].containerPort", "between 1 and 65535")]
    [TestCase("{name: a, ports: [{containerPort: 22, hostPort: 2222}]}, {name: b, ports: [{containerPort: 22, hostPort: 2222}]}", "[1].ports[0].hostPort", "published twice")]
    public void An_interface_that_cannot_be_is_refused_by_field(string interfaces, string field, string reason) =>
        Refuses($"{Memory}, interfaces: [{interfaces}]", "interfaces" + field, reason);

    [Test]
    public void A_machine_may_have_no_card_at_all() =>
        Assert.That(Parse($"{Memory}, interfaces: []").Resources.Single().SpecOf<VirtualMachineSpec>().Interfaces, Is.Empty);

    [TestCase(18, 2, true)]
    [TestCase(19, null, true)]
    [TestCase(19, 2, false)]
    [TestCase(20, null, false)]
    [TestCase(20, 0, true)]
    public void Disks_and_cards_share_the_room_that_there_is(int disks, int? cards, bool fits)
    {
        var spec = $"{Memory}, disks: [{string.Join(", ", Enumerable.Range(0, disks).Select(i => $"{{name: d{i}, empty: {{}}, size: 1Gi}}"))}]" +
            (cards is null ? "" : $", interfaces: [{string.Join(", ", Enumerable.Range(0, cards.Value).Select(i => $"{{name: c{i}}}"))}]");
        if (fits)
        {
            Assert.That(Parse(spec).Errors, Is.Empty);
        }
        else
        {
            Refuses(spec, "disks", "more than the 20 devices");
        }
    }

    [TestCase("userData: '#!/bin/sh', userDataSecret: {name: s}", "userDataSecret", "not both")]
    [TestCase("userDataSecret: {name: S}", "userDataSecret.name", "'S' must be lower-case")]
    [TestCase("userData: 'packages: [chrony]'", "userData", "#cloud-config")]
    [TestCase("userData: ''", "userData", "#cloud-config")]
    [TestCase("userData: '***'", "userData", "#cloud-config")]
    [TestCase("networkConfig: 'version: 1'", "networkConfig", "'version: 2'")]
    [TestCase("networkConfig: '{'", "networkConfig", "YAML mapping")]
    [TestCase("networkConfig: ''", "networkConfig", "YAML mapping")]
    [TestCase("sshAuthorizedKeys: [\"ssh-rsa AAAA one\\nssh-rsa AAAA two\"]", "sshAuthorizedKeys[0]", "one line of a public key")]
    [TestCase("sshAuthorizedKeys: [AAAA]", "sshAuthorizedKeys[0]", "one line of a public key")]
    [TestCase("sshAuthorizedKeys: ['-----BEGIN OPENSSH PRIVATE KEY-----']", "sshAuthorizedKeys[0]", "is a private key")]
    [TestCase("sshAuthorizedKeys: [" + Key + ", " + Key + "]", "sshAuthorizedKeys[1]", "there twice")]
    [TestCase("hostname: Meter", "hostname", "lower-case")]
    [TestCase("hostname: a..b", "hostname", "lower-case")]
    public void A_seed_that_cannot_be_is_refused_by_field(string seed, string field, string reason) => Refuses($"{Memory}, cloudInit: {{{seed}}}", "cloudInit." + field, reason);

    [TestCase("")]
    [TestCase("userData: '#!/bin/sh'")]
    [TestCase("userData: 'Content-Type: multipart/mixed'")]
    [TestCase("userData: '## template: jinja'")]
    [TestCase("userDataSecret: {name: seed}, networkConfig: 'version: 2'")]
    [TestCase("sshAuthorizedKeys: ['restrict,pty ecdsa-sha2-nistp256 AAAA', 'sk-ssh-ed25519@openssh.com AAAA']")]
    public void A_seed_that_can_be_is_taken(string seed) => Assert.That(Parse($"{Memory}, cloudInit: {{{seed}}}").Errors, Is.Empty);

    [Test]
    public void What_is_too_large_is_refused_and_not_repeated()
    {
        Refuses($"{Memory}, cloudInit: {{userData: '#{Long}'}}", "cloudInit.userData", "holds 65538 bytes; at most 65536");
        Refuses($"{Memory}, cloudInit: {{networkConfig: \"version: 2 #{Long}\"}}", "cloudInit.networkConfig", "at most 65536");
        Refuses($"{Memory}, cloudInit: {{sshAuthorizedKeys: [ssh-rsa {Long}]}}", "cloudInit.sshAuthorizedKeys[0]", "one line of a public key");
        Refuses($"{Memory}, cloudInit: {{sshAuthorizedKeys: [{string.Join(", ", Enumerable.Range(0, 65).Select(i => $"ssh-rsa {i}"))}]}}", "cloudInit.sshAuthorizedKeys", "up to 64 keys, has 65");
        Refuses($"{Memory}, cloudInit: {{hostname: {new string('a', 33)}.{new string('b', 33)}}}", "cloudInit.hostname", "at most 64");
        Refuses($"{Memory}, boot: {{kernel: {{image: 'r.local/k:1', kernel: /k, commandLine: {Long}}}}}", "boot.kernel.commandLine", "at most 2047");
        Refuses($"{Memory}, disks: [{{name: a, url: {{location: 'https://m.local/{Long}', sha256: {Sha}}}}}]", "disks[0].url.location", "up to 2048");
    }

    [TestCase("keep: 3", "snapshots.intervalSeconds", "required")]
    [TestCase("intervalSeconds: 3600", "snapshots.keep", "required")]
    [TestCase("intervalSeconds: 299, keep: 3", "snapshots.intervalSeconds", "between 300 and 31536000")]
    [TestCase("intervalSeconds: 31536001, keep: 3", "snapshots.intervalSeconds", "between 300 and 31536000")]
    [TestCase("intervalSeconds: 3600, keep: 0", "snapshots.keep", "between 1 and 48")]
    [TestCase("intervalSeconds: 3600, keep: 49", "snapshots.keep", "between 1 and 48")]
    [TestCase("interval: 1h, intervalSeconds: 3600, keep: 1", "snapshots.interval", "did you mean 'intervalSeconds'?")]
    public void A_schedule_of_snapshots_that_cannot_be_is_refused_by_field(string schedule, string field, string reason) =>
        Refuses($"{Memory}, {Disk}, snapshots: {{{schedule}}}", field, reason);

    [TestCase("300", "1")]
    [TestCase("31536000", "48")]
    public void A_schedule_of_snapshots_is_taken(string interval, string keep) =>
        Assert.That(Parse($"{Memory}, {Disk}, snapshots: {{intervalSeconds: {interval}, keep: {keep}}}").Errors, Is.Empty);

    [TestCase("disks: []")]
    [TestCase("disks: [{name: a, readOnly: true, image: {reference: 'r.local/d:1'}}]")]
    public void Snapshots_without_a_disk_to_write_to_are_refused(string disks) =>
        Refuses($"{Memory}, {disks}, snapshots: {{intervalSeconds: 3600, keep: 3}}", "snapshots", "no disk that it writes to");

    [TestCase("VirtualMachine")]
    [TestCase("virtualmachines")]
    [TestCase("vm")]
    [TestCase("VMs")]
    public void People_may_call_the_kind(string word) => Assert.That(ResourceKind.Find(word), Is.SameAs(ResourceKind.VirtualMachine));

    [Test]
    public void A_manifest_uses_the_kinds_whole_name() =>
        Assert.That(Manifest.Parse("apiVersion: edgevirt.io/v1\nkind: vm\nmetadata: {name: a}\nspec: {}\n").Errors.Single().Reason, Does.Contain("VirtualMachine"));

    private static void Refuses(string spec, string field, string reason)
    {
        var error = Parse(spec).Errors.Single();
        Assert.That(error.Field, Is.EqualTo("spec." + field));
        Assert.That(error.Reason, Does.Contain(reason));
        Assert.That(error.Reason, Has.Length.LessThan(200));
    }

    private static ManifestResult Parse(string spec) => Manifest.Parse($"apiVersion: edgevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: guest}}\nspec: {{{spec}}}\n");
}
