using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Devices;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Interactive;
using EdgeVirt.Node.Containers.Logs;
using EdgeVirt.Node.Containers.Oci;
using EdgeVirt.Node.Containers.Volumes;
using EdgeVirt.Node.Control;
using EdgeVirt.Node.Networks;
using EdgeVirt.Node.Tests.Hub;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.Containers.Interactive;

/// <summary>A busybox that really runs as workload <c>web</c>, and the control socket of the agent that runs it.</summary>
internal sealed class RealWorkload : IAsyncDisposable
{
    private const string Busybox = "/bin/busybox";

    private readonly TempDirectory directory = new();
    private readonly NodeOptions options;
    private readonly AgentUnderTest agent;
    private ControlSocket socket = null!;
    private ulong revision;

    private RealWorkload()
    {
        // As the agent makes its data directory: a user namespace's root has to pass.
        File.SetUnixFileMode(directory.Path, (UnixFileMode)0x1C9);
        options = new NodeOptions { DataDir = directory.Combine("data"), RunDir = directory.Combine("run") };
        Directories = new NodeDirectories(options);
        Persistent = new PersistentVolumes(Directories, NullLogger<PersistentVolumes>.Instance);
        var volumes = new WorkloadVolumes(Directories, Persistent);
        agent = new AgentUnderTest(
            options,
            records => Runtime = new OciRuntime(Directories, records, new SandboxParts(new NodeNetwork(options, Host), volumes, new ContainerMounts(Directories, volumes, new HostPaths([])), new HostPaths([]), new DeviceFinder([]), new LogRotation(Directories, records, options.Logs, TimeProvider.System, NullLogger<LogRotation>.Instance)), new QualityOfService(Directories, options, Cgroups), TimeProvider.System, NullLogger<OciRuntime>.Instance),
            new Image(directory.Subdirectory("layer")),
            TimeProvider.System);
    }

    public NodeDirectories Directories { get; }

    public PersistentVolumes Persistent { get; }

    public OciRuntime Runtime { get; private set; } = null!;

    public Cgroups Cgroups { get; } = new();

    public RecordStore Records => agent.Records;

    public string ContainerId { get; private set; } = "";

    private string Host => directory.Combine("host.netns");

    public static async Task<RealWorkload> StartAsync(string script = "exec busybox sleep 1000", PodSpec? template = null)
    {
        Assert.That(File.Exists(Busybox), Is.True, "install busybox-static");
        var made = new RealWorkload();
        try
        {
            await made.RunAsync(script, template);
            return made;
        }
        catch
        {
            await made.DisposeAsync();
            throw;
        }
    }

    /// <summary>Opens a channel on the control socket.</summary>
    public Task<TestChannel> OpenAsync(OpenChannel open) => TestChannel.OpenAsync(Path.Combine(options.RunDir, "control.sock"), open);

    /// <summary>Processes in the container whose command line contains a word.</summary>
    public IReadOnlyList<int> Find(string word) =>
        [.. Processes.List().Where(process => process.Arguments.Contains(word) && Processes.IsInCgroup(process.Pid, Directories.Cgroup(ContainerId))).Select(process => process.Pid)];

    public async ValueTask DisposeAsync()
    {
        try
        {
            if (socket is not null)
            {
                await socket.StopAsync(default);
                socket.Dispose();
            }

            await agent.DesireAsync(++revision, new NodeDocument { Node = "n" });
            await agent.UntilGoneAsync("web");
        }
        finally
        {
            await agent.DisposeAsync();
            NetworkNamespaces.Delete(Host);
            Mounts.Unmount(Directories.Private, detach: true);
            directory.Dispose();
        }
    }

    private async Task RunAsync(string script, PodSpec? template)
    {
        NetworkNamespaces.Create(Host);
        await NetworkNamespaces.Run(Host, () => ProcessRunner.RunAsync("ip", ["link", "set", "lo", "up"], TimeSpan.FromSeconds(10)));
        var container = new ContainerSpec
        {
            Name = "main", Image = "r.local/busybox:1", Command = ["/bin/busybox", "sh", "-c", script], WorkingDir = "/tmp",
            Env = [new EnvVar { Name = "COLOUR", Value = "blue" }], Stdin = template?.Containers is [{ Stdin: true }], Tty = template?.Containers is [{ Tty: true }],
        };
        var spec = (template ?? new PodSpec { Containers = [] }) with { TerminationGracePeriodSeconds = 0, Containers = [container with { VolumeMounts = template?.Volumes?.Select(volume => new VolumeMount { Name = volume.Name, MountPath = $"/{volume.Name}" }).ToList() }] };
        await agent.DesireAsync(++revision, new NodeDocument { Node = "n", Workloads = [new DesiredWorkload { Name = "web", Uid = "uid1", Generation = 1, Template = spec }] });
        ContainerId = (await agent.UntilAsync("web", status => status.Conditions[0].Status == ConditionStatus.True)).Containers[0].ContainerId!;
        var containers = new RunningContainers(Records, Runtime);
        var server = new ChannelServer(
            [
                new ExecVerb(Directories, containers, Cgroups, new MarkedProcesses(Directories, TimeProvider.System)).Verb,
                new AttachVerb(Directories, containers, Records, Runtime, TimeProvider.System).Verb,
                new PortForwardVerb(Directories, Records, containers).Verb,
                new CopyVerb(Directories, containers).Verb,
            ],
            TimeProvider.System,
            NullLogger<ChannelServer>.Instance);
        socket = new ControlSocket(options, server, NullLogger<ControlSocket>.Instance);
        await socket.StartAsync(default);
        await Eventually.HoldsAsync(() => File.Exists(Path.Combine(options.RunDir, "control.sock")), "the socket");
    }

    private sealed class Image : IContainerImages
    {
        private readonly StoredImage image;

        public Image(string layer)
        {
            foreach (var path in (string[])["bin", "etc", "proc", "sys", "dev", "tmp"])
            {
                Directory.CreateDirectory(Path.Combine(layer, path));
            }

            // As in every image: the program is not root, and may write there.
            File.SetUnixFileMode(Path.Combine(layer, "tmp"), (UnixFileMode)0x3FF);
            File.Copy(Busybox, Path.Combine(layer, "bin", "busybox"));
            foreach (var name in (string[])["sh", "cat", "stat", "stty", "id", "nc", "sleep", "setsid", "yes", "wc", "tty", "ls", "head", "mkdir", "ln"])
            {
                File.CreateSymbolicLink(Path.Combine(layer, "bin", name), "busybox");
            }

            File.WriteAllText(Path.Combine(layer, "etc", "passwd"), "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n");
            image = new StoredImage("sha256:busybox", new ImageConfig { Cmd = ["/bin/sh"], User = "65534" }, [layer]);
        }

        public Task<StoredImage> EnsureAsync(ImageReference reference, ImagePullPolicy policy, CancellationToken ct) => Task.FromResult(image);

        public Task CollectGarbageAsync(IReadOnlySet<string> manifestDigestsInUse, CancellationToken ct) => Task.CompletedTask;
    }
}
