using System.Text;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Linux.Terminals;

/// <summary>A pseudoterminal: who holds the master is the person, who has the slave sees a terminal (pty(7)).</summary>
internal sealed unsafe class Pseudoterminal : IDisposable
{
    private readonly SafeFileHandle master;

    private Pseudoterminal(SafeFileHandle master, SafeFileHandle slave) => (this.master, Slave) = (master, slave);

    /// <summary>The program's side. Dispose it once the program has it: the master ends with the last holder of this side.</summary>
    public SafeFileHandle Slave { get; }

    public int Master => (int)master.DangerousGetHandle();

    /// <summary>Makes one; its line discipline does nothing to what passes.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static Pseudoterminal Open(TerminalSize size)
    {
        var descriptor = TerminalCalls.OpenMaster(Native.O_RDWR | Native.O_NOCTTY | Native.O_CLOEXEC);
        if (descriptor < 0)
        {
            throw Native.Failure("open a pseudoterminal");
        }

        var master = new SafeFileHandle(descriptor, ownsHandle: true);
        try
        {
            var name = stackalloc byte[128];
            if (TerminalCalls.Grant(descriptor) != 0 || TerminalCalls.Unlock(descriptor) != 0 || TerminalCalls.SlaveName(descriptor, name, 128) != 0)
            {
                throw Native.Failure("unlock a pseudoterminal");
            }

            var path = Encoding.UTF8.GetString(System.Runtime.InteropServices.MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name));
            var slave = Native.Open(path, Native.O_RDWR | Native.O_NOCTTY | Native.O_CLOEXEC);
            if (slave < 0)
            {
                throw Native.Failure($"open {path}");
            }

            var made = new Pseudoterminal(master, new SafeFileHandle(slave, ownsHandle: true));
            TerminalMode.MakeRaw(slave);
            TerminalCalls.Resize(descriptor, size);
            return made;
        }
        catch
        {
            master.Dispose();
            throw;
        }
    }

    public void Resize(TerminalSize size) => TerminalCalls.Resize(Master, size);

    public void Dispose()
    {
        Slave.Dispose();
        master.Dispose();
    }
}
