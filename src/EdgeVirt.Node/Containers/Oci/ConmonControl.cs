using System.Globalization;
using System.Text;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>Commands to a running conmon, by the fifo in its bundle. What is said to one that has ended is lost, and that is no failure.</summary>
internal static class ConmonControl
{
    /// <summary>Sets the size of the container's terminal.</summary>
    public static void Resize(string bundle, uint rows, uint columns) => Say(bundle, string.Create(CultureInfo.InvariantCulture, $"1 {rows} {columns}\n"));

    private static void Say(string bundle, string command)
    {
        try
        {
            // For reading too, so that the open does not wait for a conmon that is no more.
            using var fifo = new FileStream(Path.Combine(bundle, "ctl"), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
            fifo.Write(Encoding.ASCII.GetBytes(command));
        }
        catch (IOException)
        {
            return;
        }
    }
}
