using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Linux;

/// <summary>The kernel's own server of virtio network cards.</summary>
public static class VhostNet
{
    /// <summary>Opens it once more; each card has a descriptor of its own. Null: this kernel has none, or none is left.</summary>
    /// <param name="path">The device.</param>
    public static SafeFileHandle? Open(string path = "/dev/vhost-net")
    {
        // Not File.OpenHandle: it asks for locks and types that devices do not have.
        var descriptor = Native.Open(path, Native.O_RDWR | Native.O_CLOEXEC);
        return descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
    }
}
