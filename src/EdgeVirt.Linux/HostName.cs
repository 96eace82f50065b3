using System.Runtime.InteropServices;
using System.Text;

namespace EdgeVirt.Linux;

/// <summary>The name that the kernel has of this machine, until the next boot: the transient host name.</summary>
public static partial class HostName
{
    /// <summary>Sets it. Wants CAP_SYS_ADMIN.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Set(string name)
    {
        var bytes = Encoding.ASCII.GetBytes(name);
        if (SetHostName(bytes, (nuint)bytes.Length) != 0)
        {
            throw Native.Failure($"set the host name to {name}");
        }
    }

    [LibraryImport("libc", EntryPoint = "sethostname", SetLastError = true)]
    private static partial int SetHostName(byte[] name, nuint length);
}
