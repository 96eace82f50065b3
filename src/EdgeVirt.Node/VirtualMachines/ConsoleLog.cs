namespace EdgeVirt.Node.VirtualMachines;

/// <summary>
/// What guests write to their serial consoles, kept within bounds: QEMU appends without end, and a guest writes as much as it likes.
/// </summary>
internal static class ConsoleLog
{
    private const int Most = 4 << 20;
    private const int Kept = 1 << 20;

    /// <summary>Empties a log that has grown beyond 4 MiB; its last MiB is kept beside it, as <c>.1</c>. What is written meanwhile may be lost.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public static void Bound(string path)
    {
        if (!File.Exists(path) || new FileInfo(path).Length <= Most)
        {
            return;
        }

        // QEMU opened it for appending, so that it goes on at the new end.
        using var log = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        log.Position = log.Length - Kept;
        var tail = new byte[Kept];
        var read = log.ReadAtLeast(tail, Kept, throwOnEndOfStream: false);
        File.WriteAllBytes(path + ".1", tail.AsSpan(0, read));
        log.SetLength(0);
    }
}
