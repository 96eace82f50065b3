using System.Globalization;

namespace EdgeVirt.Testing;

/// <summary>A directory of the test's own, removed with the mounts and node processes below it.</summary>
public sealed class TempDirectory : IDisposable
{
    private const string Prefix = "edgevirt-test-";
    private static readonly Lock Sweeping = new();
    private static bool swept;

    /// <summary>Makes it, below the system's temporary directory; the path is short enough for Unix sockets.</summary>
    public TempDirectory()
    {
        Sweep();
        Path = System.IO.Path.Combine(
            System.IO.Path.GetTempPath(),
            string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Environment.ProcessId}-{Owner.NextNumber()}"));
        Directory.CreateDirectory(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>Absolute path.</summary>
    public string Path { get; }

    /// <summary>A path in it.</summary>
    public string Combine(params ReadOnlySpan<string> parts) => System.IO.Path.Combine([Path, .. parts]);

    /// <summary>A directory in it, made if need be.</summary>
    public string Subdirectory(string name) => Directory.CreateDirectory(Combine(name)).FullName;

    /// <inheritdoc/>
    public void Dispose() => Remove(Path);

    private static void Remove(string path)
    {
        if (!Directory.Exists(path))
        {
            return;
        }

        if (HasMounts(path))
        {
            NodeRemains.Remove([], [path]);
        }

        Command.Run("rm", "-rf", "--one-file-system", path);
    }

    private static bool HasMounts(string path) =>
        File.ReadLines("/proc/self/mountinfo").Any(line => line.Split(' ')[4] is var at && (at == path || at.StartsWith(path + "/", StringComparison.Ordinal)));

    // Once per process: what test processes that were killed could not remove.
    private static void Sweep()
    {
        lock (Sweeping)
        {
            if (swept)
            {
                return;
            }

            swept = true;
            foreach (var path in Directory.EnumerateDirectories(System.IO.Path.GetTempPath(), Prefix + "*"))
            {
                var pid = System.IO.Path.GetFileName(path)[Prefix.Length..].Split('-')[0];
                if (Owner.IsGone(pid, Directory.GetCreationTimeUtc(path)))
                {
                    NodeRemains.Remove([], [path]);
                    Remove(path);
                }
            }
        }
    }
}
