using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Devices;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Oci;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.Containers;

internal sealed class ContainerConfigTests
{
    private TempDirectory directory = null!;

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        directory.Subdirectory("etc");
        File.WriteAllText(directory.Combine("etc", "passwd"), "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/var/www:/bin/false\n");
        File.WriteAllText(directory.Combine("etc", "group"), "root:x:0:\nwww:x:34:\nlog:x:4:web,other\n");
    }

    [TearDown]
    public void TearDown() => directory.Dispose();

    [TestCase(null, 0u, 0u, "/root", new uint[0])]
    [TestCase("web", 33u, 34u, "/var/www", new uint[] { 4 })]
    [TestCase("33", 33u, 34u, "/var/www", new uint[] { 4 })]
    [TestCase("web:log", 33u, 4u, "/var/www", new uint[0])]
    [TestCase("1000", 1000u, 0u, "/", new uint[0])]
    [TestCase("1000:2000", 1000u, 2000u, "/", new uint[0])]
    public void Users_are_those_of_the_image(string? user, uint uid, uint gid, string home, uint[] groups)
    {
        var found = UserDatabase.Resolve(user, directory.Path);
        Assert.That((found.Uid, found.Gid, found.Home), Is.EqualTo((uid, gid, home)));
        Assert.That(found.Groups, Is.EqualTo(groups));
    }

    [TestCase("nobody-here")]
    [TestCase("web:nobody-here")]
    public void An_unknown_user_is_refused(string user) =>
        Assert.That(() => UserDatabase.Resolve(user, directory.Path), Throws.InstanceOf<StartFailedException>().With.Message.Contains("nobody-here"));

    [Test]
    public void A_link_in_the_image_never_leads_to_the_nodes_files()
    {
        File.Delete(directory.Combine("etc", "passwd"));
        File.CreateSymbolicLink(directory.Combine("etc", "passwd"), "/../../../../etc/shadow");
        File.CreateSymbolicLink(directory.Combine("loop"), "loop");
        Assert.That(RootedPath.Resolve(directory.Path, "etc/passwd"), Is.EqualTo(directory.Combine("etc", "shadow")));
        Assert.That(RootedPath.Resolve(directory.Path, "loop/x"), Is.Null);
        Assert.That(RootedPath.Resolve(directory.Path, "../../etc/group"), Is.EqualTo(directory.Combine("etc", "group")));
    }

    [Test]
    public void Spec_and_image_become_the_runtimes_config()
    {
        Assert.That(Quantity.TryParse("250m", out var cpu), Is.True);
        Assert.That(Quantity.TryParse("64Mi", out var memory), Is.True);
        var spec = new ContainerSpec
        {
            Name = "main",
            Image = "r.local/web:1",
            Args = ["-v"],
            Resources = new ResourceRequirements { Limits = new ResourceLimits { Cpu = cpu, Memory = memory, Pids = 20 } },
            VolumeMounts = [new VolumeMount { Name = "data", MountPath = "/data" }, new VolumeMount { Name = "keys", MountPath = "/keys" }],
        };
        var config = Make(spec, ["pids"]);
        Assert.That(config.Process.Args, Is.EqualTo(["/bin/web", "-v"]));
        Assert.That(config.Process.Env, Is.EqualTo(["HOSTNAME=web", "HOME=/root", "PATH=/opt", "LANG=C", "TOKEN=geheim"]));
        Assert.That(config.Process.Cwd, Is.EqualTo("/srv"));
        Assert.That(config.Linux.Resources.Cpu, Is.EqualTo(new SpecCpu(256, 25_000, 100_000)));
        Assert.That(config.Linux.Resources.Memory, Is.EqualTo(new SpecMemory(64 << 20)));
        Assert.That(config.Linux.Resources.Pids, Is.Null, "that controller is missing");
        Assert.That(config.Linux.Namespaces.Select(space => space.Type), Is.EquivalentTo(["pid", "ipc", "uts", "mount", "cgroup", "network"]));
        Assert.That(config.Process.Capabilities.Bounding, Does.Not.Contain("CAP_SYS_ADMIN").And.Contain("CAP_NET_BIND_SERVICE"));
        Assert.That(config.Mounts.Single(mount => mount.Destination == "/keys").Options, Does.Contain("ro"));
        Assert.That(config.Mounts.Single(mount => mount.Destination == "/data").Options, Does.Contain("rw"));
        Assert.That(config.Mounts.Single(mount => mount.Destination == "/keys").Source, Does.StartWith("/run/edgevirt/private/"));
    }

    [Test]
    public void The_config_is_written_in_the_specifications_words()
    {
        using var document = JsonDocument.Parse(JsonSerializer.Serialize(Make(new ContainerSpec { Name = "main", Image = "r.local/web:1" }, []), RuntimeSpecJson.Default.RuntimeSpec));
        var root = document.RootElement;
        Assert.That(root.GetProperty("ociVersion").GetString(), Is.EqualTo("1.0.2"));
        Assert.That(root.GetProperty("process").GetProperty("user").GetProperty("additionalGids").GetArrayLength(), Is.Zero);
        Assert.That(root.GetProperty("linux").GetProperty("cgroupsPath").GetString(), Does.StartWith("/edgevirt/"));
        Assert.That(root.GetProperty("linux").GetProperty("resources").TryGetProperty("memory", out _), Is.False);
    }

    [Test]
    public void Devices_have_a_node_and_a_rule_each_and_no_others_are_allowed()
    {
        var device = new FoundDevice("/dev/modem", IsBlock: false, new DeviceNumber(188, 3), 0x1B0, 0, 20);
        var linux = Make(new ContainerSpec { Name = "main", Image = "r.local/web:1" }, [], devices: [(device, "r")]).Linux;
        Assert.That(linux.Devices, Is.EqualTo([new SpecDeviceNode("/dev/modem", "c", 188, 3, 0x1B0, 0, 20)]));
        Assert.That(linux.Resources.Devices, Is.EqualTo([new SpecDevice(false, "rwm"), new SpecDevice(true, "r", "c", 188, 3)]));
        var privileged = Make(new ContainerSpec { Name = "main", Image = "r.local/web:1", SecurityContext = new SecurityContext { Privileged = true } }, [], devices: [(device, "r")]).Linux;
        Assert.That(privileged.Devices, Is.Null, "it sees the node's own");
    }

    [Test]
    public void An_image_without_command_needs_one() => Assert.That(
        () => Make(new ContainerSpec { Name = "main", Image = "r.local/web:1" }, [], new ImageConfig()), Throws.InstanceOf<StartFailedException>());

    [TestCase(0, false, "Completed", null)]
    [TestCase(3, false, "Error", null)]
    [TestCase(137, false, "Error", "SIGKILL")]
    [TestCase(137, true, "OOMKilled", "SIGKILL")]
    [TestCase(143, true, "Error", "SIGTERM")]
    public void How_a_run_ended_is_told_from_its_code(int code, bool outOfMemory, string reason, string? signal)
    {
        var exit = OciRuntime.ExitWith(code, DateTimeOffset.UnixEpoch, outOfMemory);
        Assert.That((exit.Code, exit.Reason, exit.Signal), Is.EqualTo((code, reason, signal)));
    }

    [TestCase(null, 15)]
    [TestCase("SIGQUIT", 3)]
    [TestCase("quit", 3)]
    [TestCase("10", 10)]
    [TestCase("SIGRTMIN+3", 37)]
    [TestCase("NONSENSE", 15)]
    public void Stop_signals_are_read_in_every_notation(string? text, int number) => Assert.That(Signals.Parse(text), Is.EqualTo(number));

    [TestCase("runc version 1.1.5+ds1\ncommit: x", "runc 1.1.5")]
    [TestCase("crun version 1.8.1\ncommit: y", "crun 1.8.1")]
    public void The_runtime_tells_its_version(string output, string version) => Assert.That(RuntimeBinary.ParseVersion(output), Is.EqualTo(version));

    [Test]
    public void A_resolver_on_the_nodes_loopback_is_left_out() => Assert.That(
        SandboxFiles.ResolvConf("search a.example\nnameserver 127.0.0.53\nnameserver 192.0.2.1\n", hostNetwork: false),
        Is.EqualTo("search a.example\nnameserver 192.0.2.1\n"));

    private RuntimeSpec Make(ContainerSpec spec, IReadOnlyList<string> missing, ImageConfig? image = null, IReadOnlyList<(FoundDevice, string)>? devices = null)
    {
        var workload = new DesiredWorkload
        {
            Name = "web",
            Uid = "uid",
            Generation = 1,
            Template = new PodSpec
            {
                Containers = [spec],
                Volumes = [new VolumeSpec { Name = "data", EmptyDir = new EmptyDirSource() }, new VolumeSpec { Name = "keys", Secret = new SecretSource { SecretName = "k" } }],
            },
        };
        var target = WorkloadTarget.Of("n", workload, new References(new NodeDocument { Node = "n" }), null);
        var record = new ContainerRecord
        {
            Id = "web-uid-main-0", SandboxId = "web-uid", Workload = "web", Uid = "uid", Container = "main", Attempt = 0, Hash = "h", ImageDigest = "d",
        };
        var config = image ?? new ImageConfig { Entrypoint = ["/bin/web"], Cmd = ["-x"], Env = ["PATH=/opt", "LANG=C", "TOKEN=x"], WorkingDir = "/srv" };
        var start = new ContainerStart(
            record, Task.CompletedTask, spec, target, new SandboxRecord { Id = "web-uid", Workload = "web", Uid = "uid", Hash = "h", Address = "10.88.0.2" },
            new StoredImage("sha256:0", config, ["/"]), [KeyValuePair.Create("TOKEN", "geheim")]);
        return ContainerConfig.Make(start, new NodeDirectories(new NodeOptions()), directory.Path, new RuntimeFeatures(missing, HasSeccomp: true, Capability.Names.ToHashSet(), "amd64"), (volume, _) => $"/run/edgevirt/private/{volume.Name}", devices ?? []);
    }
}
