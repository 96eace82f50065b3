using System.Globalization;
using System.Text;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>Commands to a running conmon, by the fifo in its bundle. What is said to one that has ended is lost, and that is no failure.</summary>
internal static class ConmonControl
{
    /// <summary>Sets the size of the container's terminal.</summary>
    public static void Resize(string bundle, uint rows, uint columns) => Say(bundle, string.Create(CultureInfo.InvariantCulture, $"1 {rows} {columns}\n"));

    /// <summary>Has it go on in a new log file at the same path.</summary>
    public static void ReopenLog(string bundle) => Say(bundle, "2 0 0\n");

    private static void Say(string bundle, string command)
    {
        try
        {
            using var fifo = File.OpenHandle(Path.Combine(bundle, "ctl"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            RandomAccess.Write(fifo, Encoding.ASCII.GetBytes(command), 0);
        }
        catch (IOException)
        {
            return;
        }
    }
}
