namespace EdgeVirt.Testing.Boards;

/// <summary>A small Linux guest for an emulated board: the board's own kernel, and busybox.</summary>
public static class BoardGuest
{
    /// <summary>Makes an image with kernel and initial file system.</summary>
    /// <param name="directory">An empty one of the test's.</param>
    /// <param name="kind">The board whose kernel it boots.</param>
    /// <param name="architecture">Debian's name of it.</param>
    /// <returns>The layout and its tag, as <see cref="Registry.Push"/> takes them.</returns>
    public static string Make(string directory, string kind, string architecture)
    {
        // umoci unpacks an image without a container engine; the program lies at bin/busybox in it.
        var bundle = Path.Combine(directory, "busybox");
        Command.Run("umoci", "raw", "unpack", "--image", SampleImages.BusyboxFor(architecture), bundle);
        return GuestImage.Make(directory, NodeImage.Of(kind).Kernel, "while :; do bb sleep 60; done", (architecture, Path.Combine(bundle, "bin/busybox")), Console(architecture));
    }

    /// <summary>The machine, as an operator states it: not emulated.</summary>
    /// <param name="architecture">Debian's name of it.</param>
    /// <param name="machine">Its model; null: as the node chooses.</param>
    public static string Manifest(string architecture, string? machine = null) => $$"""
        apiVersion: edgevirt.io/v1
        kind: VirtualMachine
        metadata: {name: guest}
        spec:
          acceleration: Required{{(machine is null ? "" : $"\n  machine: {machine}")}}
          terminationGracePeriodSeconds: 0
          memory: {size: 256Mi}
          boot:
            kernel: {image: {{Fleet.RegistryName}}/vm/guest:1, kernel: /boot/vmlinuz, initrd: /boot/initrd, commandLine: console={{Console(architecture)}} quiet}
        """;

    private static string Console(string architecture) => architecture == "arm64" ? "ttyAMA0" : "ttyS0";
}
