namespace EdgeVirt.Testing;

/// <summary>Debian's qemu-guest-agent with what it is linked to, for the initial file system of a <see cref="LinuxGuest"/>: <c>/usr/sbin/qemu-ga</c>.</summary>
public static class GuestAgentProgram
{
    private static readonly string Folder = RepositoryRoot.Combine("artifacts/test/guest-agent");
    private static readonly Lock Gate = new();

    /// <summary>Paths in the guest and the files here. Null: it cannot be fetched, or a library is not here.</summary>
    public static IReadOnlyDictionary<string, string>? Files
    {
        get
        {
            lock (Gate)
            {
                var program = Path.Combine(Folder, "qemu-ga");
                try
                {
                    if (!File.Exists(program))
                    {
                        Fetch(program);
                    }

                    var linked = Command.Run("ldd", program);
                    return linked.Contains("not found", StringComparison.Ordinal)
                        ? null
                        : linked.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Where(word => word[0] == '/').Distinct()
                            .ToDictionary(library => library[1..]).Append(new("usr/sbin/qemu-ga", program)).ToDictionary();
                }
                catch (InvalidOperationException)
                {
                    return null;
                }
            }
        }
    }

    private static void Fetch(string program)
    {
        using var work = new TempDirectory();
        Command.Run("env", "-C", work.Path, "apt-get", "-q", "download", "qemu-guest-agent");
        Command.Run("dpkg-deb", "-x", Directory.GetFiles(work.Path, "*.deb").Single(), work.Combine("root"));
        Directory.CreateDirectory(Folder);
        File.Copy(work.Combine("root", "usr", "sbin", "qemu-ga"), program + ".new", overwrite: true);
        File.Move(program + ".new", program, overwrite: true);
    }
}
