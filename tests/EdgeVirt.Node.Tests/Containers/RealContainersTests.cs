using System.Net.Sockets;
using System.Text;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Logs;
using EdgeVirt.Node.Containers.Oci;
using EdgeVirt.Node.Networks;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>Real conmon, runtime, bridge and rules, in a network namespace of the test's own.</summary>
[Category("root")]
internal sealed class RealContainersTests
{
    private const string Busybox = "/bin/busybox";

    private TempDirectory directory = null!;
    private NodeOptions options = null!;
    private NodeDirectories directories = null!;
    private BusyboxImage image = null!;
    private AgentUnderTest agent = null!;
    private ulong revision;

    private string Host => directory.Combine("host.netns");

    [SetUp]
    public void SetUp()
    {
        Assert.That(File.Exists(Busybox), Is.True, "install busybox-static");
        directory = new TempDirectory();
        options = new NodeOptions { DataDir = directory.Combine("data"), RunDir = directory.Combine("run") };
        directories = new NodeDirectories(options);
        image = new BusyboxImage(directory.Subdirectory("layer"));
        NetworkNamespaces.Create(Host);
        NetworkNamespaces.Run(Host, () => ProcessRunner.RunAsync("ip", ["link", "set", "lo", "up"], TimeSpan.FromSeconds(10))).GetAwaiter().GetResult();
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
            directory.Dispose();
        }
    }

    [Test]
    public async Task Runs_publishes_logs_survives_the_agent_restarts_and_leaves_nothing()
    {
        await DesireAsync(Workload("web", "echo hello; echo wrong >&2; exec busybox nc -ll -p 80 -e /bin/busybox echo answer", port: 18080));
        var status = await agent.UntilAsync("web", IsReady);
        var id = status.Containers[0].ContainerId!;
        Assert.That(await AnswerAsync(18080), Is.EqualTo("answer\n"), "by the node's loopback");
        Assert.That(await LinesAsync(new LogsRequest { Workload = "web", Tail = -1 }, 2), Is.EquivalentTo([(false, "hello"), (true, "wrong")]));

        var pid = File.ReadAllText(directories.PidFile(id));
        await RestartAsync();
        await agent.ReconcileAsync();
        status = await agent.UntilAsync("web", IsReady);
        Assert.That((status.Containers[0].ContainerId, File.ReadAllText(directories.PidFile(id))), Is.EqualTo((id, pid)), "adopted, not started again");
        Assert.That(await AnswerAsync(18080), Is.EqualTo("answer\n"));

        Assert.That(Processes.Signal(Processes.Identify(int.Parse(pid))!, Signals.Kill), Is.True);
        status = await agent.UntilAsync("web", status => IsReady(status) && status.Containers[0].RestartCount == 1);
        Assert.That(status.Containers[0].LastExit, Has.Property("Code").EqualTo(137).And.Property("Signal").EqualTo("SIGKILL").And.Property("Reason").EqualTo("Error"));
        Assert.That(await AnswerAsync(18080), Is.EqualTo("answer\n"));
        Assert.That(await LinesAsync(new LogsRequest { Workload = "web", Previous = true, Tail = 1 }, 1), Has.Count.EqualTo(1));

        await DesireAsync();
        await agent.UntilGoneAsync("web");
        AssertNothingIsLeft();
    }

    [Test]
    public async Task Gives_values_files_volumes_limits_and_its_own_exit_reason()
    {
        const string Script = "echo $WORD; cat /keys/k; stat -c %a /keys/k /own/k; echo kept > /data/f; hostname; id -u; ulimit -n > /dev/null; exit 7";
        var workload = Workload("job", Script) with
        {
            Template = new PodSpec
            {
                RestartPolicy = RestartPolicy.Never,
                Volumes = [new VolumeSpec { Name = "data", EmptyDir = new EmptyDirSource() }, new VolumeSpec { Name = "keys", Secret = new SecretSource { SecretName = "s" } },
                    new VolumeSpec { Name = "own", Secret = new SecretSource { SecretName = "s", DefaultMode = 0x100 } }],
                Containers =
                [
                    new ContainerSpec
                    {
                        Name = "main", Image = "r.local/busybox:1", Command = ["/bin/busybox", "sh", "-c", Script],
                        Env = [new EnvVar { Name = "WORD", ValueFrom = new EnvVarSource { SecretKeyRef = new KeyRef { Name = "s", Key = "k" } } }],
                        VolumeMounts = [new VolumeMount { Name = "data", MountPath = "/data" }, new VolumeMount { Name = "keys", MountPath = "/keys" }, new VolumeMount { Name = "own", MountPath = "/own" }],
                    },
                ],
            },
        };
        await DesireAsync(
            new NodeDocument { Node = "n", Workloads = [workload], Secrets = [new DesiredSecret { Name = "s", Data = new Dictionary<string, byte[]> { ["k"] = "geheim\n"u8.ToArray() } }] });
        var status = await agent.UntilAsync("job", status => status.Conditions[0].Reason == ReadyReasons.Failed);
        Assert.That(status.Containers[0].LastExit!.Code, Is.EqualTo(7));
        var lines = await LinesAsync(new LogsRequest { Workload = "job", Tail = -1 }, 6);
        Assert.That(lines.Select(line => line.Text), Is.EqualTo(["geheim", "geheim", "644", "400", "job", "0"]));
        Assert.That(File.ReadAllText(Path.Combine(directories.EmptyDirs(SandboxRecord.IdOf("job", "uid1")), "data", "f")), Is.EqualTo("kept\n"));
        Assert.That(() => Directory.Exists(directories.Root(status.Containers[0].ContainerId!)), Is.False.After(5000, 20), "its root is let go of, and cannot go while it is searched");
        var secretsOnDisk = Directory.EnumerateFiles(options.DataDir, "*", SearchOption.AllDirectories)
            .Where(file => !file.EndsWith("ctr.log", StringComparison.Ordinal) && File.ReadAllText(file, Encoding.Latin1).Contains("geheim"));
        Assert.That(secretsOnDisk, Is.Empty, "Secrets stay on tmpfs");
    }

    [Test]
    public async Task More_memory_than_the_limit_is_told_as_such()
    {
        Assert.That(Quantity.TryParse("16Mi", out var memory), Is.True);
        var workload = Workload("hog", "x=x; while true; do x=$x$x; done");
        var limited = workload.Template.Containers[0] with { Resources = new ResourceRequirements { Limits = new ResourceLimits { Memory = memory } } };
        await DesireAsync(workload with { Template = workload.Template with { Containers = [limited], RestartPolicy = RestartPolicy.Never } });
        var status = await agent.UntilAsync("hog", status => status.Containers[0].State == ContainerState.Terminated);
        Assert.That(status.Containers[0].LastExit!.Reason, Is.EqualTo("OOMKilled"));
    }

    [Test]
    public async Task Who_asked_for_nothing_goes_first_when_memory_runs_out()
    {
        await DesireAsync(Workload("free", "exec busybox sleep 1000"));
        var status = await agent.UntilAsync("free", IsReady);
        var pid = File.ReadAllText(directories.PidFile(status.Containers[0].ContainerId!));
        Assert.That(File.ReadAllText($"/proc/{pid}/oom_score_adj").Trim(), Is.EqualTo("1000"));
    }

    [Test]
    public async Task A_command_that_does_not_exist_is_explained()
    {
        var workload = Workload("broken", "true");
        var broken = workload.Template.Containers[0] with { Command = ["/no/such/program"] };
        await DesireAsync(workload with { Template = workload.Template with { Containers = [broken], RestartPolicy = RestartPolicy.Never } });
        var status = await agent.UntilAsync("broken", status => status.Containers[0].State == ContainerState.Terminated);
        Assert.That(status.Containers[0].LastExit!.Message, Does.Contain("/no/such/program"));
    }

    [Test]
    public async Task What_a_killed_agent_left_half_made_is_removed()
    {
        await DesireAsync(Workload("web", "exec busybox sleep 1000"));
        var status = await agent.UntilAsync("web", IsReady);
        await agent.DisposeAsync();
        // As if the agent had ended between two steps of a removal: the record is gone, everything else is there.
        Directory.Delete(directories.Sandbox(SandboxRecord.IdOf("web", "uid1")), recursive: true);
        File.Delete(Path.Combine(directories.Container(status.Containers[0].ContainerId!), "container.json"));
        agent = NewAgent();
        revision = 10;
        await DesireAsync();
        await agent.UntilGoneAsync("web");
        AssertNothingIsLeft();
    }

    private static bool IsReady(WorkloadInstanceStatus status) => status.Conditions[0].Status == ConditionStatus.True;

    private static DesiredWorkload Workload(string name, string script, int? port = null) => new()
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

    private void AssertNothingIsLeft()
    {
        Assert.That(Directory.GetFileSystemEntries(directories.Containers), Is.Empty);
        Assert.That(Directory.GetFileSystemEntries(directories.Sandboxes), Is.Empty);
        Assert.That(Directory.GetFileSystemEntries(directories.Exits), Is.Empty);
        Assert.That(Directory.GetFileSystemEntries(directories.NetworkNamespaces), Is.Empty);
        Assert.That(Directory.GetFileSystemEntries(directories.Bundles), Is.Empty);
        Assert.That(Directory.GetFileSystemEntries(directories.RuntimeState), Is.Empty);
        Assert.That(Mounts.List().Where(mount => mount.Target.StartsWith(directory.Path + "/")).Select(mount => mount.Target), Is.EquivalentTo([Host, directories.Private]));
        Assert.That(() => Conmon.Find(directories.Bundles), Is.Empty.After(5000, 20));
        var links = NetworkNamespaces.Run(Host, () => File.ReadAllText("/proc/thread-self/net/dev"));
        Assert.That(links, Does.Not.Match(@"\bev[0-9a-f]{12}:"));
        var cgroups = Directory.EnumerateDirectories("/sys/fs/cgroup").Append("/sys/fs/cgroup").Select(path => path + directories.CgroupParent);
        Assert.That(cgroups.Where(Directory.Exists), Is.Empty);
    }

    private async Task<string> AnswerAsync(int port)
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

    private async Task<List<(bool Error, string Text)>> LinesAsync(LogsRequest request, int count)
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

    private Task DesireAsync(params DesiredWorkload[] workloads) => DesireAsync(new NodeDocument { Node = "n", Workloads = workloads });

    private Task DesireAsync(NodeDocument document) => agent.DesireAsync(++revision, document);

    private AgentUnderTest NewAgent() => new(
        options,
        records => new OciRuntime(directories, records, new NodeNetwork(options, Host), new QualityOfService(directories, options, new Cgroups()), TimeProvider.System, NullLogger<OciRuntime>.Instance),
        image,
        TimeProvider.System);

    private async Task RestartAsync()
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
