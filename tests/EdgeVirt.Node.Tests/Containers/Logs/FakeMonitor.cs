using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace EdgeVirt.Node.Tests.Containers.Logs;

/// <summary>Writes numbered lines as conmon does: a full file is replaced by <c>NAME.tmp</c>, which is made where it is not there.</summary>
internal sealed class FakeMonitor : IDisposable
{
    private readonly string path;
    private readonly int maxSize;
    private FileStream file;
    private int written;

    public FakeMonitor(string path, int maxSize)
    {
        (this.path, this.maxSize) = (path, maxSize);
        file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
    }

    /// <summary>Number of the line that comes next.</summary>
    public int Next { get; private set; }

    public int Turns { get; private set; }

    public void Write(int lines)
    {
        for (; lines > 0; lines--)
        {
            var line = Encoding.ASCII.GetBytes($"2026-01-01T00:00:00.000000000+00:00 stdout F {Next.ToString("D8", CultureInfo.InvariantCulture)}\n");
            if (written + line.Length > maxSize)
            {
                Turn();
            }

            file.Write(line);
            written += line.Length;
            Next++;
        }
    }

    /// <summary>Writes until so many files were begun.</summary>
    public void WriteTurns(int turns)
    {
        for (var until = Turns + turns; Turns < until;)
        {
            Write(1);
        }
    }

    public void Dispose() => file.Dispose();

    // The framework's own looks at both names first, and trips over one that changes meanwhile.
    [DllImport("libc", EntryPoint = "rename")]
    private static extern int Rename(byte[] from, byte[] to);

    private void Turn()
    {
        file.Dispose();
        file = new FileStream(path + ".tmp", FileMode.Create, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        Assert.That(Rename(Encoding.UTF8.GetBytes(path + ".tmp\0"), Encoding.UTF8.GetBytes(path + '\0')), Is.Zero, "the file that it opened keeps its name until it is renamed");
        written = 0;
        Turns++;
    }
}
