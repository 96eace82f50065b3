using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>What a security context really does to a container.</summary>
[Category("root")]
internal sealed class RealSecurityTests : RealContainersFixture
{
    private static readonly SeccompProfile Unconfined = new() { Type = SeccompProfileType.Unconfined };

    // unshare with a user namespace needs no capability: only the filter keeps it away.
    private const string Unshare = "busybox unshare -U true 2>/dev/null && echo yes || echo no";

    [Test]
    public async Task System_calls_are_filtered_unless_said_otherwise()
    {
        Assert.That(await SaysAsync("default", Unshare, null), Is.EqualTo(["no"]));
        Assert.That(await SaysAsync("unconfined", Unshare, new SecurityContext { SeccompProfile = Unconfined }), Is.EqualTo(["yes"]));
        Assert.That(await SaysAsync("privileged", Unshare, new SecurityContext { Privileged = true }), Is.EqualTo(["yes"]));
        Assert.That(await SaysAsync("modes", "busybox grep Seccomp: /proc/self/status", null), Is.EqualTo(["Seccomp:\t2"]), "SECCOMP_MODE_FILTER");
        Assert.That(await SaysAsync("chroot", "busybox chroot / /bin/busybox echo in", null), Is.EqualTo(["in"]), "allowed with its capability");
    }

    [Test]
    public async Task A_mount_needs_the_capability_and_with_it_passes_the_filter()
    {
        const string Mount = "busybox mount -t tmpfs none /tmp 2>/dev/null && echo yes || echo no";
        Assert.That(await SaysAsync("without", Mount, null), Is.EqualTo(["no"]));
        Assert.That(await SaysAsync("with", Mount, new SecurityContext { Capabilities = new CapabilityChanges { Add = ["SYS_ADMIN"] } }), Is.EqualTo(["yes"]));
    }

    [Test]
    public async Task A_read_only_root_refuses_writes_and_volumes_do_not()
    {
        const string Write = "echo x > /tmp/f 2>/dev/null && echo yes || echo no; echo x > /data/f && echo yes || echo no";
        Assert.That(await SaysAsync("writable", Write, null), Is.EqualTo(["yes", "yes"]));
        Assert.That(await SaysAsync("readonly", Write, new SecurityContext { ReadOnlyRootFilesystem = true }), Is.EqualTo(["no", "yes"]));
    }

    [Test]
    public async Task Capabilities_are_really_given_and_really_gone()
    {
        const string Script = "busybox grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; busybox touch /tmp/f; busybox chown 1:1 /tmp/f 2>/dev/null && echo yes || echo no";
        Assert.That(await SaysAsync("usual", Script, null), Is.EqualTo(["CapEff:\t00000000a80425fb", "CapBnd:\t00000000a80425fb", "NoNewPrivs:\t0", "yes"]));
        var dropped = new SecurityContext { Capabilities = new CapabilityChanges { Drop = ["CAP_CHOWN", "MKNOD"] }, AllowPrivilegeEscalation = false };
        Assert.That(await SaysAsync("dropped", Script, dropped), Is.EqualTo(["CapEff:\t00000000a00425fa", "CapBnd:\t00000000a00425fa", "NoNewPrivs:\t1", "no"]));
        var one = new SecurityContext { Capabilities = new CapabilityChanges { Drop = ["ALL"], Add = ["NET_ADMIN"] } };
        Assert.That((await SaysAsync("one", Script, one))[0], Is.EqualTo("CapEff:\t0000000000001000"));
    }

    [Test]
    public async Task Runs_as_whom_the_context_says()
    {
        var pod = new PodSecurityContext { RunAsUser = 1000, RunAsGroup = 2000, SupplementalGroups = [3000] };
        Assert.That(await SaysAsync("user", "id -u; id -g; id -G", null, pod), Is.EqualTo(["1000", "2000", "2000 3000"]));
    }

    [Test]
    public async Task RunAsNonRoot_refuses_an_image_that_runs_as_root()
    {
        await DesireAsync(Secured("root", "true", new SecurityContext { RunAsNonRoot = true }, null));
        var status = await agent.UntilAsync("root", status => status.Containers[0].State == ContainerState.Terminated);
        Assert.That(status.Containers[0].LastExit, Has.Property("Reason").EqualTo("StartError").And.Property("Message").Contains("runAsNonRoot").And.Property("Message").Contains("runAsUser"));
        Assert.That(await SaysAsync("other", "id -u", new SecurityContext { RunAsNonRoot = true, RunAsUser = 7 }), Is.EqualTo(["7"]));
    }

    [Test]
    public async Task Privileged_sees_the_nodes_devices_and_changes_its_settings()
    {
        const string Script = "busybox test -w /proc/sys/net/ipv4/ip_forward && echo 1 > /proc/sys/net/ipv4/ip_forward 2>/dev/null && echo yes || echo no; " +
            "busybox test -e /dev/loop-control && echo yes || echo no";
        Assert.That(await SaysAsync("usual", Script, null), Is.EqualTo(["no", "no"]));
        var device = File.Exists("/dev/loop-control") ? "yes" : "no";
        Assert.That(await SaysAsync("privileged", Script, new SecurityContext { Privileged = true }), Is.EqualTo(["yes", device]));
    }

    private async Task<List<string>> SaysAsync(string name, string script, SecurityContext? security, PodSecurityContext? pod = null)
    {
        await DesireAsync(Secured(name, script, security, pod));
        var status = await agent.UntilAsync(name, status => status.Containers[0].State == ContainerState.Terminated);
        Assert.That(status.Containers[0].LastExit!.Reason, Is.Not.EqualTo("StartError"), status.Containers[0].LastExit!.Message);
        return [.. (await LinesAsync(new LogsRequest { Workload = name, Tail = -1 }, 1)).Where(line => !line.Error).Select(line => line.Text)];
    }

    private static DesiredWorkload Secured(string name, string script, SecurityContext? security, PodSecurityContext? pod)
    {
        var workload = Workload(name, script);
        var container = workload.Template.Containers[0] with { SecurityContext = security, VolumeMounts = [new VolumeMount { Name = "data", MountPath = "/data" }] };
        return workload with
        {
            Template = workload.Template with
            {
                Containers = [container], SecurityContext = pod, RestartPolicy = RestartPolicy.Never, Volumes = [new VolumeSpec { Name = "data", EmptyDir = new EmptyDirSource() }],
            },
        };
    }
}
