namespace EdgeVirt.Testing;

/// <summary>Kernel and initial file system of a <see cref="LinuxGuest"/> as an OCI image, at /boot/vmlinuz and /boot/initrd.</summary>
public static class GuestImage
{
    /// <summary>
    /// What a guest does to get its address, name server and route from the node by its first card, and to show the pages in <c>/www</c> on port 80.
    /// Programs below <c>/www/cgi-bin</c> must be made executable before.
    /// </summary>
    public const string ServeScript = """
        bb mkdir -p /etc /www/cgi-bin
        bb cat >/tmp/dhcp <<'END'
        #!/bin/busybox sh
        [ "$1" = bound ] || exit 0
        /bin/busybox ip address add $ip/$mask dev $interface
        /bin/busybox ip route add default via $router
        echo "search $search" >/etc/resolv.conf
        echo "nameserver $dns" >>/etc/resolv.conf
        END
        bb chmod +x /tmp/dhcp
        bb ip link set lo up
        bb ip link set eth0 up
        bb udhcpc -i eth0 -n -q -t 20 -T 1 -O search -s /tmp/dhcp
        bb httpd -p 80 -h /www
        """;

    /// <summary>Makes an image.</summary>
    /// <param name="directory">An empty one of the test's.</param>
    /// <param name="kernel">See <see cref="LinuxGuest.Kernel"/>.</param>
    /// <param name="script">See <see cref="LinuxGuest.WriteInitrd"/>.</param>
    /// <param name="foreign">Debian's name of another architecture than this machine's, and its busybox; without modules then.</param>
    /// <param name="console">Name of the serial port.</param>
    /// <returns>The layout and its tag, as <see cref="Registry.Push"/> takes them.</returns>
    public static string Make(string directory, string kernel, string script, (string Architecture, string Busybox)? foreign = null, string console = "ttyS0")
    {
        var boot = Directory.CreateDirectory(Path.Combine(directory, "boot")).FullName;
        File.Copy(kernel, Path.Combine(boot, "vmlinuz"));
        LinuxGuest.WriteInitrd(Path.Combine(boot, "initrd"), script, busybox: foreign?.Busybox, console: console);
        var layout = Path.Combine(directory, "layout");
        Command.Run("umoci", "init", "--layout", layout);
        Command.Run("umoci", "new", "--image", $"{layout}:1");
        // Not by "umoci insert": what its version 0.4.7 writes ends within the last file.
        Command.Run("tar", "-c", "--owner=0", "--group=0", "-C", directory, "-f", Path.Combine(directory, "layer.tar"), "boot");
        Command.Run("umoci", "raw", "add-layer", "--image", $"{layout}:1", Path.Combine(directory, "layer.tar"));
        if (foreign is { Architecture: var architecture })
        {
            Command.Run("umoci", "config", "--image", $"{layout}:1", "--architecture", architecture);
        }

        return $"{layout}:1";
    }
}
