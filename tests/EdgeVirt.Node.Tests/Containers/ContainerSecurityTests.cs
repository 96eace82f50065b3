using System.Text.Json;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Oci;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.Containers;

internal sealed class ContainerSecurityTests
{
    private static readonly RuntimeFeatures Everything = new([], HasSeccomp: true, Capability.Names.ToHashSet(), "amd64");

    private TempDirectory root = null!;

    [SetUp]
    public void SetUp()
    {
        root = new TempDirectory();
        root.Subdirectory("etc");
        File.WriteAllText(root.Combine("etc", "passwd"), "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/var/www:/bin/false\n");
        File.WriteAllText(root.Combine("etc", "group"), "root:x:0:\nwww:x:34:\nlog:x:4:web,other\n");
    }

    [TearDown]
    public void TearDown() => root.Dispose();

    [Test]
    public void Without_a_context_it_has_the_usual_capabilities_and_a_filter()
    {
        var security = Of(null);
        Assert.That(security.Capabilities, Has.Count.EqualTo(14).And.Contain("CAP_CHOWN").And.Not.Contain("CAP_SYS_ADMIN"));
        Assert.That(security.Seccomp, Is.Not.Null);
        Assert.That((security.NoNewPrivileges, security.ReadOnlyRoot, security.Privileged), Is.EqualTo((false, false, false)));
        Assert.That(security.MaskedPaths, Does.Contain("/proc/kcore"));
    }

    [TestCase(new[] { "NET_ADMIN" }, new string[0], "CAP_NET_ADMIN", "CAP_SYS_ADMIN")]
    [TestCase(new[] { "cap_sys_time" }, new[] { "CHOWN" }, "CAP_SYS_TIME", "CAP_CHOWN")]
    [TestCase(new[] { "NET_BIND_SERVICE" }, new[] { "ALL" }, "CAP_NET_BIND_SERVICE", "CAP_CHOWN")]
    [TestCase(new[] { "ALL" }, new[] { "CAP_SYS_ADMIN" }, "CAP_NET_ADMIN", "CAP_SYS_ADMIN")]
    public void Capabilities_are_added_and_dropped(string[] add, string[] drop, string has, string lacks)
    {
        var security = Of(new SecurityContext { Capabilities = new CapabilityChanges { Add = add, Drop = drop } });
        Assert.That(security.Capabilities, Does.Contain(has).And.Not.Contain(lacks));
        Assert.That(security.SpecCapabilities.Effective, Is.EqualTo(security.Capabilities));
    }

    [Test]
    public void Dropping_all_leaves_none() =>
        Assert.That(Of(new SecurityContext { Capabilities = new CapabilityChanges { Drop = ["ALL"] } }).Capabilities, Is.Empty);

    [Test]
    public void A_capability_that_the_agent_lacks_is_refused_by_name()
    {
        var features = Everything with { Capabilities = new HashSet<string> { "CAP_CHOWN" } };
        var wanted = new SecurityContext { Capabilities = new CapabilityChanges { Add = ["SYS_RESOURCE"] } };
        Assert.That(() => Of(wanted, features: features), Throws.InstanceOf<StartFailedException>().With.Message.Contains("CAP_SYS_RESOURCE"));
    }

    [Test]
    public void Privileged_is_as_on_the_node()
    {
        var features = Everything with { Capabilities = new HashSet<string> { "CAP_CHOWN", "CAP_SYS_ADMIN" } };
        var security = Of(new SecurityContext { Privileged = true }, features: features);
        Assert.That(security.Capabilities, Is.EqualTo(["CAP_CHOWN", "CAP_SYS_ADMIN"]), "all that the agent has");
        Assert.That(security.Seccomp, Is.Null);
        Assert.That(security.MaskedPaths.Concat(security.ReadOnlyPaths), Is.Empty);
    }

    [Test]
    public void Who_it_runs_as_comes_from_container_workload_and_image_in_this_order()
    {
        var pod = new PodSecurityContext { RunAsUser = 33, SupplementalGroups = [4, 70] };
        var (image, workload, own) = (Of(null, user: "web:log").User, Of(null, pod).User, Of(new SecurityContext { RunAsUser = 5000, RunAsGroup = 6000 }, pod).User);
        Assert.That((image.Uid, image.Gid), Is.EqualTo((33u, 4u)));
        Assert.That((workload.Uid, workload.Gid, workload.Home), Is.EqualTo((33u, 34u, "/var/www")));
        Assert.That(workload.Groups, Is.EqualTo([4u, 70u]), "the image's and the workload's");
        Assert.That((own.Uid, own.Gid), Is.EqualTo((5000u, 6000u)));
    }

    [Test]
    public void Capabilities_of_another_user_than_0_are_bounds_only() =>
        Assert.That(Of(new SecurityContext { RunAsUser = 33 }).SpecCapabilities, Has.Property("Effective").Empty.And.Property("Bounding").Not.Empty);

    [Test]
    public void RunAsNonRoot_refuses_user_0_and_says_what_to_do()
    {
        var pod = new PodSecurityContext { RunAsNonRoot = true };
        Assert.That(() => Of(null, pod), Throws.InstanceOf<StartFailedException>().With.Message.Contains("set runAsUser"));
        Assert.That(Of(null, pod, user: "web").User.Uid, Is.EqualTo(33));
        Assert.That(Of(new SecurityContext { RunAsNonRoot = false }, pod).User.Uid, Is.Zero);
    }

    [TestCase(null, null, true)]
    [TestCase(SeccompProfileType.Unconfined, null, false)]
    [TestCase(null, SeccompProfileType.Unconfined, false)]
    [TestCase(SeccompProfileType.RuntimeDefault, SeccompProfileType.Unconfined, true)]
    public void The_containers_seccomp_profile_wins_over_the_workloads(SeccompProfileType? own, SeccompProfileType? pod, bool filtered) => Assert.That(
        Of(new SecurityContext { SeccompProfile = Profile(own) }, new PodSecurityContext { SeccompProfile = Profile(pod) }).Seccomp is not null, Is.EqualTo(filtered));

    [Test]
    public void Without_seccomp_in_kernel_or_runtime_no_filter_is_asked_for() =>
        Assert.That(Of(null, features: Everything with { HasSeccomp = false }).Seccomp, Is.Null);

    [TestCase("amd64", "SCMP_ARCH_X86_64,SCMP_ARCH_X86,SCMP_ARCH_X32", "arch_prctl", "cacheflush")]
    [TestCase("arm64", "SCMP_ARCH_AARCH64,SCMP_ARCH_ARM", "cacheflush", "arch_prctl")]
    [TestCase("arm", "SCMP_ARCH_ARM", "set_tls", "arch_prctl")]
    [TestCase("riscv64", "", "openat", "arch_prctl")]
    public void The_default_profile_knows_its_architecture(string architecture, string architectures, string allowed, string denied)
    {
        var rules = SeccompRules.Default(architecture, []);
        Assert.That(rules.Architectures, Is.EqualTo(architectures.Split(',', StringSplitOptions.RemoveEmptyEntries)));
        Assert.That(Allowed(rules), Does.Contain(allowed).And.Not.Contain(denied));
    }

    [TestCase("mount", "CAP_SYS_ADMIN")]
    [TestCase("unshare", "CAP_SYS_ADMIN")]
    [TestCase("clone3", "CAP_SYS_ADMIN")]
    [TestCase("bpf", "CAP_BPF")]
    [TestCase("reboot", "CAP_SYS_BOOT")]
    [TestCase("init_module", "CAP_SYS_MODULE")]
    [TestCase("clock_settime", "CAP_SYS_TIME")]
    [TestCase("chroot", "CAP_SYS_CHROOT")]
    public void A_call_that_needs_a_capability_is_allowed_with_it_alone(string call, string capability)
    {
        Assert.That(Allowed(SeccompRules.Default("amd64", [])), Does.Not.Contain(call));
        Assert.That(Allowed(SeccompRules.Default("amd64", [capability])), Does.Contain(call));
    }

    [TestCase("keyctl")]
    [TestCase("add_key")]
    [TestCase("userfaultfd")]
    [TestCase("io_uring_setup")]
    [TestCase("kexec_load")]
    [TestCase("swapon")]
    [TestCase("pivot_root")]
    public void Some_calls_nobody_gets(string call) =>
        Assert.That(Allowed(SeccompRules.Default("amd64", [.. Capability.Names])), Does.Not.Contain(call));

    [Test]
    public void New_namespaces_cannot_be_made_by_clone_either()
    {
        var rules = SeccompRules.Default("amd64", []);
        var clone = rules.Syscalls.Single(rule => rule.Names.Contains("clone"));
        Assert.That(clone.Args, Is.EqualTo([new SpecSyscallArg(0, 0x7E02_0000, 0, "SCMP_CMP_MASKED_EQ")]));
        Assert.That(rules.Syscalls.Single(rule => rule.Names.Contains("clone3")), Has.Property("Action").EqualTo("SCMP_ACT_ERRNO").And.Property("ErrnoRet").EqualTo(38));
    }

    [Test]
    public void The_filter_is_written_in_the_specifications_words()
    {
        using var document = JsonDocument.Parse(JsonSerializer.Serialize(SeccompRules.Default("amd64", []), RuntimeSpecJson.Default.SpecSeccomp));
        var written = document.RootElement;
        Assert.That((written.GetProperty("defaultAction").GetString(), written.GetProperty("defaultErrnoRet").GetInt32()), Is.EqualTo(("SCMP_ACT_ERRNO", 1)));
        var socket = written.GetProperty("syscalls").EnumerateArray().Single(rule => rule.GetProperty("names")[0].GetString() == "socket");
        Assert.That(socket.GetProperty("args")[0].GetProperty("op").GetString(), Is.EqualTo("SCMP_CMP_NE"));
        Assert.That(socket.TryGetProperty("errnoRet", out _), Is.False);
    }

    [TestCase("runc version 1.1.5+ds1\nspec: 1.0.2-dev\ngo: go1.19.8\nlibseccomp: 2.5.4\n", true)]
    [TestCase("runc version 1.1.5\nspec: 1.0.2-dev\ngo: go1.19.8\n", false)]
    [TestCase("crun version 1.21\n+SYSTEMD +SELINUX +APPARMOR +CAP +SECCOMP +EBPF\n", true)]
    [TestCase("crun version 1.21\n+CAP +EBPF\n", false)]
    public void The_runtime_tells_whether_it_has_seccomp(string output, bool has) => Assert.That(RuntimeFeatures.SaysSeccomp(output), Is.EqualTo(has));

    private ContainerSecurity Of(SecurityContext? own, PodSecurityContext? pod = null, string? user = null, RuntimeFeatures? features = null) =>
        ContainerSecurity.Of(own, pod, user, root.Path, features ?? Everything);

    private static SeccompProfile? Profile(SeccompProfileType? type) => type is { } known ? new SeccompProfile { Type = known } : null;

    private static HashSet<string> Allowed(SpecSeccomp rules) =>
        [.. rules.Syscalls.Where(rule => rule is { Action: "SCMP_ACT_ALLOW", Args: null }).SelectMany(rule => rule.Names)];
}
