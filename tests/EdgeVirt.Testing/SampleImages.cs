using System.Runtime.InteropServices;

namespace EdgeVirt.Testing;

/// <summary>OCI layouts made by the recipes under <c>images/</c>, with their tag.</summary>
public static class SampleImages
{
    /// <summary>nginx on port 8080.</summary>
    public static string Web => Find("sample");

    /// <summary>A shell.</summary>
    public static string Busybox => Find("busybox");

    /// <summary>nginx on port 8080, for the architecture of a board.</summary>
    /// <param name="architecture">Debian's name of it.</param>
    public static string WebFor(string architecture) => Find(Suffixed("sample", architecture));

    /// <summary>A shell, for the architecture of a board.</summary>
    /// <param name="architecture">Debian's name of it.</param>
    public static string BusyboxFor(string architecture) => Find(Suffixed("busybox", architecture));

    private static string Suffixed(string name, string architecture) =>
        architecture == (RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "arm64" : "amd64") ? name : $"{name}-{architecture}";

    private static string Find(string name)
    {
        var path = RepositoryRoot.Combine("artifacts", "images", name);
        return File.Exists(Path.Combine(path, "index.json")) ? path + ":1" : throw new InvalidOperationException($"{path} is missing: run ./dev image {name} first.");
    }
}
