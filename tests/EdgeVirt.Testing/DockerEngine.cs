using EdgeVirt.Linux;

namespace EdgeVirt.Testing;

/// <summary>dockerd and containerd as children, on sockets of their own and in a network namespace that dockerd may change.</summary>
public sealed class DockerEngine : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly ChildProcess containerd;
    private readonly ChildProcess dockerd;
    private readonly string socket;

    private DockerEngine(ChildProcess containerd, ChildProcess dockerd, string socket) => (this.containerd, this.dockerd, this.socket) = (containerd, dockerd, socket);

    /// <summary>Starts both and waits until docker answers.</summary>
    /// <param name="directory">For all that they keep.</param>
    /// <param name="networkNamespace">Name below /run/netns.</param>
    public static async Task<DockerEngine> StartAsync(string directory, string networkNamespace)
    {
        var containerdSocket = Path.Combine(directory, "containerd.sock");
        var containerd = ChildProcess.Start(
            "containerd",
            ["--root", Path.Combine(directory, "containerd"), "--state", Path.Combine(directory, "containerd-run"), "--address", containerdSocket],
            Path.Combine(directory, "containerd.log"), networkNamespace);
        await containerd.WaitUntilAsync("listening", () => Task.FromResult(File.Exists(containerdSocket)), Patience);
        var socket = Path.Combine(directory, "docker.sock");
        var dockerd = ChildProcess.Start(
            "dockerd",
            [
                "--containerd", containerdSocket, "--data-root", Path.Combine(directory, "data"), "--exec-root", Path.Combine(directory, "exec"),
                "--pidfile", Path.Combine(directory, "docker.pid"), "--host", $"unix://{socket}",
            ],
            Path.Combine(directory, "dockerd.log"), networkNamespace);
        var docker = new DockerEngine(containerd, dockerd, socket);
        try
        {
            await dockerd.WaitUntilAsync("answering", async () => (await docker.TryAsync("version")).ExitCode == 0, Patience);
            return docker;
        }
        catch
        {
            await docker.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs a docker command.</summary>
    /// <exception cref="ProcessFailedException">It failed.</exception>
    public Task<ProcessResult> RunAsync(params string[] args) => ProcessRunner.RunAsync("docker", ["--host", $"unix://{socket}", .. args], Patience);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // By request, so that it unmounts what it has mounted.
        await dockerd.TerminateAsync(Patience);
        await dockerd.DisposeAsync();
        await containerd.DisposeAsync();
    }

    private Task<ProcessResult> TryAsync(params string[] args) => ProcessRunner.RunAsync("docker", ["--host", $"unix://{socket}", .. args], Patience, check: false);
}
