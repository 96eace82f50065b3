using System.Globalization;
using System.Text;

namespace EdgeVirt.Testing;

/// <summary>What the smallest real Linux guest boots from: Debian's kernel, and an initial file system of busybox and a script.</summary>
public static class LinuxGuest
{
    /// <summary>What the script writes to the serial console first.</summary>
    public const string Marker = "EDGEVIRT-GUEST-UP";

    private const string Busybox = "/bin/busybox";
    private static readonly Lock Gate = new();

    /// <summary>Debian's kernel for x86-64: of <c>./dev image debian</c> if that was made, else the one for clouds, fetched once.</summary>
    /// <returns>Null: there is none here, and none can be fetched.</returns>
    public static string? Kernel
    {
        get
        {
            var built = RepositoryRoot.Combine("artifacts/images/debian/vmlinuz");
            if (File.Exists(built))
            {
                return built;
            }

            lock (Gate)
            {
                var fetched = RepositoryRoot.Combine("artifacts/test/guest-kernel/vmlinuz");
                return File.Exists(fetched) || Fetch(fetched) ? fetched : null;
            }
        }
    }

    /// <summary>Writes an initial file system.</summary>
    /// <param name="path">The file.</param>
    /// <param name="script">Lines of shell after <see cref="Marker"/> was written; <c>bb</c> is busybox, /proc, /sys and /dev are there. Must not end, or the kernel panics.</param>
    public static void WriteInitrd(string path, string script)
    {
        var init = $"""
            #!/bin/busybox sh
            bb() (exec /bin/busybox "$@")
            bb mkdir -p /proc /sys /dev /mnt
            bb mount -t proc proc /proc
            bb mount -t sysfs sys /sys
            bb mount -t devtmpfs dev /dev
            exec </dev/ttyS0 >/dev/ttyS0 2>&1
            echo {Marker}
            {script}

            """;
        using var file = File.Create(path);
        Add(file, "bin", 0x41ED, []);
        Add(file, "bin/busybox", 0x81ED, File.ReadAllBytes(Busybox));
        Add(file, "init", 0x81ED, Encoding.UTF8.GetBytes(init));
        Add(file, "TRAILER!!!", 0, []);
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

    private static bool Fetch(string path)
    {
        using var work = new TempDirectory();
        try
        {
            var package = Command.Run("apt-cache", "depends", "linux-image-cloud-amd64").Split('\n')
                .Select(line => line.Trim()).First(line => line.StartsWith("Depends: linux-image-", StringComparison.Ordinal))["Depends: ".Length..];
            Command.Run("env", "-C", work.Path, "apt-get", "-q", "download", package);
            Command.Run("dpkg-deb", "-x", Directory.GetFiles(work.Path, "*.deb").Single(), work.Combine("root"));
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.Copy(Directory.GetFiles(work.Combine("root", "boot"), "vmlinuz-*").Single(), path + ".new", overwrite: true);
            File.Move(path + ".new", path, overwrite: true);
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
