using EdgeVirt.Linux;

namespace EdgeVirt.Benchmarks;

/// <summary>A network namespace of a bench's own. One that a bench which was killed left is replaced.</summary>
internal sealed class BenchNetwork : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public BenchNetwork(string name)
    {
        Name = name;
        NetworkNamespaces.Delete(Path);
        NetworkNamespaces.Create(Path);
    }

    public string Name { get; }

    public string Path => $"/run/netns/{Name}";

    /// <summary>Runs a program there to its end.</summary>
    /// <exception cref="ProcessFailedException">It ended with another exit code than 0, or not in time.</exception>
    public Task<ProcessResult> RunAsync(string file, params string[] args) =>
        NetworkNamespaces.Run(Path, () => ProcessRunner.RunAsync(file, args, Patience));

    public void Dispose() => NetworkNamespaces.Delete(Path);
}
