using System.Net.Sockets;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Devices;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Logs;
using EdgeVirt.Node.Containers.Oci;
using EdgeVirt.Node.Containers.Volumes;
using EdgeVirt.Node.Networks;
using EdgeVirt.Node.Tests.Containers.Images;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>What tests of real containers share: an agent with runtime, bridge and rules in a network namespace of the test's own.</summary>
internal abstract class RealContainersFixture
{
    private const string Busybox = "/bin/busybox";

    protected TempDirectory directory = null!;
    protected NodeOptions options = null!;
    protected NodeDirectories directories = null!;
    protected AgentUnderTest agent = null!;
    protected PersistentVolumes persistent = null!;
    protected ulong revision;
    protected LogCollector<LogRotation> rotation = null!;
    private BusyboxImage image = null!;

    protected string Host => directory.Combine("host.netns");

    [SetUp]
    public void SetUp()
    {
        Assert.That(File.Exists(Busybox), Is.True, "install busybox-static");
        directory = new TempDirectory();
        options = Configure(new NodeOptions { DataDir = directory.Combine("data"), RunDir = directory.Combine("run") });
        directories = new NodeDirectories(options);
        image = new BusyboxImage(directory.Subdirectory("layer"));
        NetworkNamespaces.Create(Host);
        NetworkNamespaces.Run(Host, () => ProcessRunner.RunAsync("ip", ["link", "set", "lo", "up"], TimeSpan.FromSeconds(10))).GetAwaiter().GetResult();
        rotation = new LogCollector<LogRotation>();
        agent = NewAgent();
        revision = 0;
    }

    [TearDown]
    public async Task TearDown()
    {
        try
        {
            await DesireAsync();
            foreach (var name in agent.Records.Sandboxes.Select(sandbox => sandbox.Workload).Distinct())
            {
                await agent.UntilGoneAsync(name);
            }
        }
        finally
        {
            await agent.DisposeAsync();
            NetworkNamespaces.Delete(Host);
            Mounts.Unmount(directories.Private, detach: true);
            Mounts.Unmount(directories.MemoryLogs, detach: true);
            directory.Dispose();
        }
    }

    /// <summary>What the tests of a class tell the agent.</summary>
    protected virtual NodeOptions Configure(NodeOptions defaults) => defaults;

    protected static bool IsReady(WorkloadInstanceStatus status) => status.Conditions[0].Status == ConditionStatus.True;

    protected static DesiredWorkload Workload(string name, string script, int? port = null) => new()
    {
        Name = name,
        Uid = "uid1",
        Generation = 1,
        Template = new PodSpec
        {
            TerminationGracePeriodSeconds = 0,
            Containers =
            [
                new ContainerSpec
                {
                    Name = "main", Image = "r.local/busybox:1", Command = ["/bin/busybox", "sh", "-c", script],
                    Ports = port is null ? null : [new ContainerPort { Port = 80, HostPort = port }],
                },
            ],
        },
    };

    protected void AssertNothingIsLeft()
    {
        Assert.That(Directory.GetFileSystemEntries(directories.Containers), Is.Empty);
        Assert.That(Directory.GetFileSystemEntries(directories.LiveLogs), Is.Empty);
        Assert.That(Directory.GetFileSystemEntries(directories.Sandboxes), Is.Empty);
        Assert.That(Directory.GetFileSystemEntries(directories.Exits), Is.Empty);
        Assert.That(Directory.GetFileSystemEntries(directories.NetworkNamespaces), Is.Empty);
        Assert.That(Directory.GetFileSystemEntries(directories.UserNamespaces), Is.Empty);
        Assert.That(Directory.GetFileSystemEntries(directories.Bundles), Is.Empty);
        Assert.That(Directory.GetFileSystemEntries(directories.RuntimeState), Is.Empty);
        Assert.That(Mounts.List().Where(mount => mount.Target.StartsWith(directory.Path + "/")).Select(mount => mount.Target), Is.EquivalentTo([Host, directories.Private]));
        Assert.That(() => Conmon.Find(directories.Bundles), Is.Empty.After(5000, 20));
        var links = NetworkNamespaces.Run(Host, () => File.ReadAllText("/proc/thread-self/net/dev"));
        Assert.That(links, Does.Not.Match(@"\bev[0-9a-f]{12}:"));
        var cgroups = Directory.EnumerateDirectories("/sys/fs/cgroup").Append("/sys/fs/cgroup").Select(path => path + directories.CgroupParent);
        Assert.That(cgroups.Where(Directory.Exists), Is.Empty);
    }

    protected async Task<string> AnswerAsync(int port)
    {
        // A listener inside may need a moment after the container is there.
        for (var tries = 0; ; tries++)
        {
            try
            {
                using var socket = NetworkNamespaces.Run(Host, () =>
                {
                    var made = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                    made.Connect("127.0.0.1", port);
                    return made;
                });
                using var reader = new StreamReader(new NetworkStream(socket));
                return await reader.ReadToEndAsync();
            }
            catch (SocketException) when (tries < 100)
            {
                await Task.Delay(50);
            }
        }
    }

    protected async Task<List<(bool Error, string Text)>> LinesAsync(LogsRequest request, int count)
    {
        var logs = new ContainerLogs(directories, agent.Records, TimeProvider.System);
        for (var tries = 0; ; tries++)
        {
            var lines = new List<(bool, string)>();
            await foreach (var line in logs.ReadAsync(request, default))
            {
                lines.Add((line.Stderr, line.Text.ToStringUtf8()));
            }

            if (lines.Count >= count || tries == 40)
            {
                return lines;
            }

            await Task.Delay(25);
        }
    }

    protected Task DesireAsync(params DesiredWorkload[] workloads) => DesireAsync(new NodeDocument { Node = "n", Workloads = workloads });

    protected Task DesireAsync(NodeDocument document) => agent.DesireAsync(++revision, document);

    protected AgentUnderTest NewAgent()
    {
        persistent = new PersistentVolumes(directories, NullLogger<PersistentVolumes>.Instance);
        var volumes = new WorkloadVolumes(directories, persistent);
        var hostPaths = new HostPaths(options.AllowedHostPaths);
        return new AgentUnderTest(
            options,
            records => new OciRuntime(directories, records, new SandboxParts(new NodeNetwork(options, Host), volumes, new ContainerMounts(directories, volumes, hostPaths), hostPaths, new DeviceFinder(options.Devices), new LogRotation(directories, records, options.Logs, TimeProvider.System, rotation)), new QualityOfService(directories, options, new Cgroups()), TimeProvider.System, NullLogger<OciRuntime>.Instance),
            image,
            TimeProvider.System);
    }

    protected async Task RestartAsync()
    {
        await agent.DisposeAsync();
        agent = NewAgent();
    }

    private sealed class BusyboxImage : IContainerImages
    {
        private readonly StoredImage image;

        public BusyboxImage(string layer)
        {
            foreach (var path in (string[])["bin", "etc", "proc", "sys", "dev", "tmp"])
            {
                Directory.CreateDirectory(Path.Combine(layer, path));
            }

            File.Copy(Busybox, Path.Combine(layer, "bin", "busybox"));
            foreach (var name in (string[])["sh", "cat", "stat", "hostname", "id"])
            {
                File.CreateSymbolicLink(Path.Combine(layer, "bin", name), "busybox");
            }

            File.WriteAllText(Path.Combine(layer, "etc", "passwd"), "root:x:0:0:root:/root:/bin/sh\n");
            image = new StoredImage("sha256:busybox", new ImageConfig { Cmd = ["/bin/sh"] }, [layer]);
        }

        public Task<StoredImage> EnsureAsync(ImageReference reference, ImagePullPolicy policy, CancellationToken ct) => Task.FromResult(image);

        public Task CollectGarbageAsync(IReadOnlySet<string> manifestDigestsInUse, CancellationToken ct) => Task.CompletedTask;
    }
}
