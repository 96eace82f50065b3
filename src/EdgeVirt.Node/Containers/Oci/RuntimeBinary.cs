using EdgeVirt.Linux;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>The programs that run containers here; chosen once.</summary>
/// <param name="Runtime">Path of crun or runc.</param>
/// <param name="Conmon">Path of conmon.</param>
internal sealed record RuntimeBinary(string Runtime, string Conmon)
{
    private static readonly string[] Folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/libexec/podman"];

    /// <summary>crun is the smaller one, but gives up where version 1 control groups are mounted; runc serves both.</summary>
    /// <exception cref="StartFailedException">They are not installed.</exception>
    public static RuntimeBinary Choose(CgroupLayout layout)
    {
        var runtime = (layout == CgroupLayout.Unified ? Find("crun") : null) ?? Find("runc");
        return (runtime, Find("conmon")) switch
        {
            (null, _) => throw new StartFailedException("neither crun nor runc is installed that serves this machine's control groups; install runc"),
            (_, null) => throw new StartFailedException("conmon is not installed; install it"),
            var (found, conmon) => new RuntimeBinary(found, conmon),
        };
    }

    /// <summary>Name and version, e.g. <c>runc 1.1.5</c>.</summary>
    public static string ParseVersion(string output)
    {
        // "runc version 1.1.5+ds1" or "crun version 1.8.1" on the first line.
        var words = output.Split('\n')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words is [var name, "version", var version, ..] ? $"{name} {version.Split('+')[0]}" : output.Split('\n')[0].Trim();
    }

    private static string? Find(string name) => Folders.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
}
