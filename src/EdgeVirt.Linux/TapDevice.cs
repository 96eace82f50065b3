using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Linux;

/// <summary>Network links whose other end is a program (tun(4), kind tap). A link goes with the last descriptor of it.</summary>
public static unsafe partial class TapDevice
{
    private const ulong SetInterface = 0x4004_54ca; // TUNSETIFF
    private const int NameLength = 16; // IFNAMSIZ
    private const short Tap = 0x0002;
    private const short NoPacketHeader = 0x1000; // IFF_NO_PI
    private const short OffloadHeader = 0x4000; // IFF_VNET_HDR

    /// <summary>Makes a link in the network namespace of the calling thread. QEMU takes the descriptor as <c>-netdev tap,fd=</c>.</summary>
    /// <param name="name">Of the link, at most 15 characters; there must be none of that name.</param>
    /// <exception cref="LinuxException">The kernel refused: there is a link of that name, or it has no tun.</exception>
    public static SafeFileHandle Make(string name)
    {
        var text = Encoding.ASCII.GetBytes(name);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(text.Length, NameLength - 1);
        var descriptor = Native.Open("/dev/net/tun", Native.O_RDWR | Native.O_NONBLOCK | Native.O_CLOEXEC);
        if (descriptor < 0)
        {
            throw Native.Failure("open /dev/net/tun");
        }

        var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        // struct ifreq: the name, then flags; 40 bytes on 64-bit machines.
        Span<byte> request = stackalloc byte[40];
        request.Clear();
        text.CopyTo(request);
        MemoryMarshal.Write(request[NameLength..], (short)(Tap | NoPacketHeader | OffloadHeader));
        fixed (byte* at = request)
        {
            if (Control(descriptor, SetInterface, at) != 0)
            {
                var failure = Native.Failure($"make the tap {name}");
                handle.Dispose();
                throw failure;
            }
        }

        return handle;
    }

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Control(int descriptor, ulong request, byte* argument);
}
