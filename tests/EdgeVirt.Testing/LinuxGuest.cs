using System.Globalization;
using System.Text;

namespace EdgeVirt.Testing;

/// <summary>What the smallest real Linux guest boots from: Debian's kernel, and an initial file system of busybox and a script.</summary>
public static class LinuxGuest
{
    /// <summary>What the script writes to the serial console first.</summary>
    public const string Marker = "EDGEVIRT-GUEST-UP";

    private const string Busybox = "/bin/busybox";
    private const string ModuleList = "modules.list";
    private static readonly Lock Gate = new();

    // In the order in which they need each other: what Debian's kernel has as modules and an emulated machine is made of.
    private static readonly string[] Modules =
    [
        "virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_mmio", "virtio_blk",
        "virtio_console", "failover", "net_failover", "virtio_net", "af_packet", "pvpanic", "pvpanic-mmio", "pvpanic-pci", "qemu_fw_cfg", "virtio_balloon",
    ];

    private static readonly string Folder = RepositoryRoot.Combine("artifacts/test/guest-kernel");

    /// <summary>Debian's kernel for clouds, x86-64, fetched once.</summary>
    /// <returns>Null: there is none here, and none can be fetched.</returns>
    public static string? Kernel
    {
        get
        {
            lock (Gate)
            {
                var kernel = Path.Combine(Folder, "vmlinuz");
                return IsWhole() || Fetch() || File.Exists(kernel) ? kernel : null;
            }
        }
    }

    /// <summary>Writes an initial file system.</summary>
    /// <param name="path">The file.</param>
    /// <param name="script">
    /// Lines of shell after <see cref="Marker"/> was written; <c>bb</c> is busybox; /proc, /sys, /dev and virtio's drivers are there. It must not end,
    /// or the kernel panics.
    /// </param>
    /// <param name="files">What else is in it: path in the guest, as <c>usr/sbin/x</c>, and the file here. They are executable.</param>
    /// <param name="busybox">For another architecture than this machine's; without modules then.</param>
    /// <param name="console">Name of the serial port.</param>
    public static void WriteInitrd(string path, string script, IReadOnlyDictionary<string, string>? files = null, string? busybox = null, string console = "ttyS0")
    {
        var init = $"""
            #!/bin/busybox sh
            bb() (exec /bin/busybox "$@")
            bb mkdir -p /proc /sys /dev /mnt /tmp
            bb mount -t proc proc /proc
            bb mount -t sysfs sys /sys
            bb mount -t devtmpfs dev /dev
            exec </dev/{console} >/dev/{console} 2>&1
            for m in {string.Join(' ', Modules)}; do bb insmod /lib/$m.ko 2>/dev/null; done
            echo {Marker}
            {script}

            """;
        using var file = File.Create(path);
        Add(file, "bin", 0x41ED, []);
        Add(file, "lib", 0x41ED, []);
        Add(file, "bin/busybox", 0x81ED, File.ReadAllBytes(busybox ?? Busybox));
        foreach (var module in (busybox is null ? Modules : []).Select(name => name + ".ko").Where(name => File.Exists(Path.Combine(Folder, name))))
        {
            Add(file, $"lib/{module}", 0x81A4, File.ReadAllBytes(Path.Combine(Folder, module)));
        }

        AddAll(file, files ?? new Dictionary<string, string>());
        Add(file, "init", 0x81ED, Encoding.UTF8.GetBytes(init));
        Add(file, "TRAILER!!!", 0, []);
    }

    private static void AddAll(Stream file, IReadOnlyDictionary<string, string> files)
    {
        var directories = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var path in files.Keys)
        {
            for (var parent = Path.GetDirectoryName(path); !string.IsNullOrEmpty(parent); parent = Path.GetDirectoryName(parent))
            {
                directories.Add(parent);
            }
        }

        foreach (var directory in directories)
        {
            Add(file, directory, 0x41ED, []);
        }

        foreach (var (path, from) in files)
        {
            Add(file, path, 0x81ED, File.ReadAllBytes(from));
        }
    }

    // The format "newc" of cpio(5): a header of hexadecimal fields, the name, the content, each padded to 4 bytes.
    private static void Add(Stream file, string name, uint mode, byte[] content)
    {
        uint[] fields = [0, mode, 0, 0, 1, 0, (uint)content.Length, 0, 0, 0, 0, (uint)name.Length + 1, 0];
        var header = "070701" + string.Concat(fields.Select(field => field.ToString("X8", CultureInfo.InvariantCulture))) + name + '\0';
        file.Write(Encoding.ASCII.GetBytes(header));
        Pad(file, header.Length);
        file.Write(content);
        Pad(file, content.Length);
    }

    private static void Pad(Stream file, int length) => file.Write(new byte[(4 - (length % 4)) % 4]);

    // Fetched by a list that had these modules.
    private static bool IsWhole()
    {
        var list = Path.Combine(Folder, ModuleList);
        return File.Exists(Path.Combine(Folder, "vmlinuz")) && File.Exists(list) && File.ReadAllText(list) == string.Join(' ', Modules);
    }

    private static bool Fetch()
    {
        using var work = new TempDirectory();
        try
        {
            var package = Command.Run("apt-cache", "depends", "linux-image-cloud-amd64").Split('\n')
                .Select(line => line.Trim()).First(line => line.StartsWith("Depends: linux-image-", StringComparison.Ordinal))["Depends: ".Length..];
            Command.Run("env", "-C", work.Path, "apt-get", "-q", "download", package);
            Command.Run("dpkg-deb", "-x", Directory.GetFiles(work.Path, "*.deb").Single(), work.Combine("root"));
            Directory.CreateDirectory(Folder);
            foreach (var found in Directory.EnumerateFiles(work.Combine("root"), "*.ko*", SearchOption.AllDirectories).ToList())
            {
                var name = Path.GetFileName(found).Split('.')[0];
                if (Modules.Contains(name))
                {
                    // From Debian 13 on they are compressed.
                    if (found.EndsWith(".xz", StringComparison.Ordinal))
                    {
                        Command.Run("xz", "-d", found);
                    }

                    File.Copy(found.EndsWith(".xz", StringComparison.Ordinal) ? found[..^3] : found, Path.Combine(Folder, name + ".ko"), overwrite: true);
                }
            }

            File.WriteAllText(Path.Combine(Folder, ModuleList), string.Join(' ', Modules));
            // The kernel last: where it is, the rest is.
            File.Copy(Directory.GetFiles(work.Combine("root", "boot"), "vmlinuz-*").Single(), Path.Combine(Folder, "vmlinuz.new"), overwrite: true);
            File.Move(Path.Combine(Folder, "vmlinuz.new"), Path.Combine(Folder, "vmlinuz"), overwrite: true);
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
