using System.Runtime.InteropServices;

namespace EdgeVirt.Testing;

/// <summary>What <c>./dev publish</c> made: the programs as they ship.</summary>
public static class PublishedBinaries
{
    /// <summary>The node agent.</summary>
    public static string Agent => Find("agent", "edgevirt-agent");

    /// <summary>The hub.</summary>
    public static string Hub => Find("hub", "edgevirt-hub");

    /// <summary>The command line tool.</summary>
    public static string Cli => Find("cli", "edgevirt");

    private static string Find(string part, string program)
    {
        var architecture = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "arm64" : "x64";
        var path = RepositoryRoot.Combine("artifacts", "publish", architecture, part, program);
        return File.Exists(path) ? path : throw new InvalidOperationException($"{path} is missing: run ./dev publish {architecture} first.");
    }
}
