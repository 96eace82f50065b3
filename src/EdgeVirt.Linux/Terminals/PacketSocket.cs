using System.Globalization;
using System.Net.Sockets;

namespace EdgeVirt.Linux.Terminals;

/// <summary>Unix sockets that keep packets apart (SOCK_SEQPACKET).</summary>
public static class PacketSocket
{
    /// <summary>Connects to one; its path may be longer than the 107 characters of an address.</summary>
    /// <exception cref="LinuxException">Its directory cannot be opened.</exception>
    /// <exception cref="SocketException">Nobody listens there.</exception>
    public static Socket Connect(string path)
    {
        var directory = Native.Open(Path.GetDirectoryName(path)!, Native.O_PATH | Native.O_CLOEXEC);
        if (directory < 0)
        {
            throw Native.Failure($"open {Path.GetDirectoryName(path)}");
        }

        var socket = new Socket(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint($"/proc/self/fd/{directory.ToString(CultureInfo.InvariantCulture)}/{Path.GetFileName(path)}"));
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        finally
        {
            _ = Native.Close(directory);
        }
    }
}
