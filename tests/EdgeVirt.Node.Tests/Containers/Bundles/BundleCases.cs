using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Devices;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Oci;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.Containers.Bundles;

/// <summary>Containers of every kind that a spec can ask for, as the engine writes them for the runtime.</summary>
internal sealed class BundleCases : IDisposable
{
    private static readonly RuntimeFeatures Full = new([], HasSeccomp: true, Capability.Names.ToHashSet(), "amd64")
    {
        Disk = new DeviceNumber(259, 0), MaxRealtimePriority = 99,
    };

    private static readonly ResourceRequirements AllResources = new()
    {
        Cpus = "0-1",
        MemoryHigh = Amount("48Mi"),
        BlockIO = new BlockIO { Weight = 200, ReadBytesPerSecond = Amount("1Mi"), WriteBytesPerSecond = Amount("2Mi"), ReadsPerSecond = 20, WritesPerSecond = 50 },
        Realtime = new RealtimeScheduling { Priority = 20, RealtimeRuntime = 5000, RealtimePeriod = 100_000 },
        Requests = new ResourceRequests { Cpu = Amount("100m"), Memory = Amount("32Mi") },
        Limits = new ResourceLimits { Cpu = Amount("1.5"), Memory = Amount("64Mi"), Pids = 64, Hugepages2Mi = Amount("4Mi"), Hugepages1Gi = Amount("1Gi") },
    };

    private static readonly FoundDevice[] TwoDevices =
    [
        new("/dev/modem", IsBlock: false, new DeviceNumber(188, 3), 0x1B0, 0, 20),
        new("/dev/card", IsBlock: true, new DeviceNumber(179, 1), 0x1FF, 0, 6),
    ];

    private static readonly Dictionary<string, Case> All = new()
    {
        ["plain"] = new(),
        ["node's network"] = new(HostNetwork: true),
        ["users of its own"] = new(FirstHostId: 1 << 30),
        ["without what the kernel may lack"] = new(new ContainerSpec { Name = "main", Image = "", Resources = AllResources }, Features: Full with
        {
            MissingControllers = ["cpu", "memory", "pids", "hugetlb", "io.max", "io.weight", "memory.high", "rtprio", "cpu.rt"], HasSeccomp = false, Disk = null,
        }),
        ["least cpu"] = new(new ContainerSpec { Name = "main", Image = "", Resources = new ResourceRequirements { Limits = new ResourceLimits { Cpu = Amount("1m") } } }),
        ["most of everything"] = new(new ContainerSpec
        {
            Name = "main", Image = "", Resources = new ResourceRequirements { Limits = new ResourceLimits { Cpu = Amount("512"), Memory = Amount("1000000000000000000"), Pids = int.MaxValue } },
        }),
        ["everything, version 2"] = new(Everything(), AppArmor: "edgevirt-web"),
        ["everything, version 1"] = new(Everything(), Features: Full with { Layout = CgroupLayout.Legacy }),
        ["privileged"] = new(Everything() with { SecurityContext = new SecurityContext { Privileged = true } }),
        ["another user"] = new(new ContainerSpec { Name = "main", Image = "", SecurityContext = new SecurityContext { RunAsUser = 2_000_000_000, RunAsGroup = 5, RunAsNonRoot = true } }),
        ["user of the image"] = new(User: "web:log"),
        ["no capabilities"] = new(new ContainerSpec { Name = "main", Image = "", SecurityContext = new SecurityContext { Capabilities = new CapabilityChanges { Drop = ["ALL"] } } }),
        ["unconfined"] = new(new ContainerSpec { Name = "main", Image = "", SecurityContext = new SecurityContext { SeccompProfile = new SeccompProfile { Type = SeccompProfileType.Unconfined } } }),
        ["arm64"] = new(Features: Full with { Architecture = "arm64" }),
        ["arm"] = new(Features: Full with { Architecture = "arm" }),
        ["an architecture without a word in the filter"] = new(Features: Full with { Architecture = "riscv64" }),
        ["all capabilities in the filter"] = new(new ContainerSpec { Name = "main", Image = "", SecurityContext = new SecurityContext { Capabilities = new CapabilityChanges { Add = ["ALL"] } } }),
    };

    private readonly TempDirectory root = new();

    public BundleCases()
    {
        root.Subdirectory("etc");
        File.WriteAllText(root.Combine("etc", "passwd"), "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/var/www:/bin/false\n");
        File.WriteAllText(root.Combine("etc", "group"), "root:x:0:\nwww:x:34:\nlog:x:4:web,other\n");
    }

    public static IEnumerable<string> Names => All.Keys;

    /// <summary>config.json as the engine would write it.</summary>
    public string Config(string name)
    {
        var wanted = All[name];
        var spec = wanted.Spec ?? new ContainerSpec { Name = "main", Image = "" };
        var template = new PodSpec
        {
            Containers = [spec],
            HostNetwork = wanted.HostNetwork,
            SecurityContext = new PodSecurityContext { SupplementalGroups = [4, 70], FsGroup = 2000 },
            Volumes = [new VolumeSpec { Name = "data", EmptyDir = new EmptyDirSource() }, new VolumeSpec { Name = "keys", Secret = new SecretSource { SecretName = "k" } }],
        };
        var workload = new DesiredWorkload { Name = "web", Uid = "uid", Generation = 1, Template = template };
        var record = new ContainerRecord
        {
            Id = "web-uid-main-0", SandboxId = "web-uid", Workload = "web", Uid = "uid", Container = "main", Attempt = 0, Hash = "h", ImageDigest = "d",
        };
        var start = new ContainerStart(
            record, Task.CompletedTask, spec, WorkloadTarget.Of("n", workload, new References(new NodeDocument { Node = "n" }), null),
            new SandboxRecord { Id = "web-uid", Workload = "web", Uid = "uid", Hash = "h", HostNetwork = wanted.HostNetwork, FirstHostId = wanted.FirstHostId },
            new StoredImage("sha256:0", new ImageConfig { Entrypoint = ["/bin/web"], Cmd = ["-x"], Env = ["PATH=/opt"], User = wanted.User }, ["/"]),
            [KeyValuePair.Create("TOKEN", "\"ü\n")]);
        var config = ContainerConfig.Make(
            start, new NodeDirectories(new NodeOptions()), root.Path, wanted.Features ?? Full, (volume, _) => $"/run/edgevirt/private/{volume.Name}",
            spec.Devices is null ? [] : [.. TwoDevices.Select(device => (device, "rw"))]);
        // Whether a profile is loaded is the kernel's to say, so that none can be had by asking for it here.
        return JsonSerializer.Serialize(config with { Process = config.Process with { ApparmorProfile = wanted.AppArmor } }, RuntimeSpecJson.Default.RuntimeSpec);
    }

    public void Dispose() => root.Dispose();

    private static ContainerSpec Everything() => new()
    {
        Name = "main",
        Image = "",
        Args = ["-v"],
        WorkingDir = "/srv",
        Tty = true,
        Stdin = true,
        Resources = AllResources,
        Devices = [new DeviceSpec { Path = "/dev/modem" }],
        VolumeMounts = [new VolumeMount { Name = "data", MountPath = "/data" }, new VolumeMount { Name = "keys", MountPath = "/keys" }],
        SecurityContext = new SecurityContext
        {
            AllowPrivilegeEscalation = false,
            ReadOnlyRootFilesystem = true,
            RunAsUser = 0,
            Capabilities = new CapabilityChanges { Add = ["NET_ADMIN", "SYS_TIME"], Drop = ["CHOWN"] },
        },
    };

    private static Quantity Amount(string text) => Quantity.TryParse(text, out var quantity) ? quantity : throw new ArgumentException(text);

    private sealed record Case(ContainerSpec? Spec = null, RuntimeFeatures? Features = null, string? User = null, bool HostNetwork = false, string? AppArmor = null, uint? FirstHostId = null);
}
