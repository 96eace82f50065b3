using System.Net.Sockets;
using System.Text;

namespace EdgeVirt.Linux.Tests;

internal sealed class SystemTests
{
    private DirectoryInfo directory = null!;

    [SetUp]
    public void SetUp() => directory = Directory.CreateTempSubdirectory("edgevirt-");

    [TearDown]
    public void TearDown()
    {
        Environment.SetEnvironmentVariable("NOTIFY_SOCKET", null);
        directory.Delete(recursive: true);
    }

    [Test]
    public void Facts_of_this_machine_are_there()
    {
        Assert.That(SystemFacts.Architecture, Is.AnyOf("amd64", "arm64", "arm"));
        Assert.That(SystemFacts.Kernel, Is.Not.Empty);
        Assert.That(SystemFacts.BootId, Has.Length.EqualTo(36));
        Assert.That(SystemFacts.OperatingSystem, Is.Not.Empty);
        Assert.That(SystemFacts.MemoryBytes, Is.GreaterThan(1 << 20));
        Assert.That(SystemFacts.DiskBytes("/"), Is.GreaterThan(1 << 20));
        Assert.That(SystemFacts.Addresses(), Has.None.StartsWith("127.").And.None.StartsWith("169.254."));
    }

    [Test]
    public void Mounts_are_read_with_escaped_names()
    {
        var mounts = Mounts.Parse([
            @"36 35 98:0 /mnt1 /mnt\040two\134x rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue",
            "22 27 0:21 / /proc rw,relatime - proc proc rw",
            "nonsense",
        ]);
        Assert.That(mounts, Is.EqualTo([
            new MountPoint(@"/mnt two\x", "/mnt1", "ext3", "/dev/root"),
            new MountPoint("/proc", "/", "proc", "proc"),
        ]));
    }

    [Test]
    public void Unmounting_what_is_not_mounted_is_no_failure() => Assert.That(Mounts.Unmount(directory.FullName), Is.False);

    [Test]
    [Category("root")]
    public void A_tmpfs_is_mounted_and_unmounted()
    {
        Mounts.Mount("edgevirt-test", directory.FullName, "tmpfs", MountFlags.NoSuid | MountFlags.NoDev, "size=64k");
        try
        {
            Assert.That(Mounts.IsMounted(directory.FullName), Is.True);
            Assert.That(() => Mounts.Mount("x", directory.FullName, "no-such-fs"), Throws.InstanceOf<LinuxException>());
        }
        finally
        {
            Assert.That(Mounts.Unmount(directory.FullName), Is.True);
        }

        Assert.That(Mounts.IsMounted(directory.FullName), Is.False);
    }

    [Test]
    [Category("root")]
    public void A_network_namespace_is_made_entered_and_let_go_of()
    {
        var path = Path.Combine(directory.FullName, "netns", "one");
        NetworkNamespaces.Create(path);
        try
        {
            Assert.That(NetworkNamespaces.Exists(path), Is.True);
            var outside = File.ReadAllLines("/proc/self/net/dev").Length;
            var links = NetworkNamespaces.Run(path, () => File.ReadAllLines("/proc/thread-self/net/dev").Length);
            Assert.That(links, Is.EqualTo(3), "two head lines and lo");
            var child = NetworkNamespaces.Run(path, () => ProcessRunner.RunAsync("cat", ["/proc/self/net/dev"], TimeSpan.FromSeconds(10))).GetAwaiter().GetResult();
            Assert.That(child.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(3));
            Assert.That(File.ReadAllLines("/proc/self/net/dev"), Has.Length.EqualTo(outside));
            Assert.That(() => NetworkNamespaces.Run<int>(path, () => throw new InvalidDataException("x")), Throws.InstanceOf<InvalidDataException>());
        }
        finally
        {
            NetworkNamespaces.Delete(path);
        }

        Assert.That(NetworkNamespaces.Exists(path), Is.False);
        Assert.That(File.Exists(path), Is.False);
        NetworkNamespaces.Delete(path);
    }

    [Test]
    public async Task Word_reaches_the_service_manager()
    {
        var path = Path.Combine(directory.FullName, "notify");
        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        Environment.SetEnvironmentVariable("NOTIFY_SOCKET", path);
        Notify.Ready();
        Notify.Watchdog();
        Notify.Status("two\nlines");
        var heard = new List<string>();
        var buffer = new byte[256];
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (heard.Count < 3)
        {
            heard.Add(Encoding.UTF8.GetString(buffer, 0, await socket.ReceiveAsync(buffer, patience.Token)));
        }

        Assert.That(heard, Is.EqualTo(["READY=1", "WATCHDOG=1", "STATUS=two lines"]));
    }

    [Test]
    public void A_service_manager_that_does_not_listen_costs_nothing()
    {
        Environment.SetEnvironmentVariable("NOTIFY_SOCKET", Path.Combine(directory.FullName, "nobody"));
        Assert.That(Notify.Ready, Throws.Nothing);
    }

    [TestCase("4000000", null, 2.0)]
    [TestCase("4000000", "self", 2.0)]
    [TestCase("4000000", "1", null)]
    [TestCase("0", null, null)]
    [TestCase(null, null, null)]
    public void The_watchdog_is_fed_at_half_its_time(string? microseconds, string? pid, double? seconds) =>
        Assert.That(
            Notify.IntervalOf(microseconds, pid == "self" ? Environment.ProcessId.ToString() : pid)?.TotalSeconds,
            Is.EqualTo(seconds));

    [Test]
    public void Usage_is_read_from_version_2_groups()
    {
        Write("cgroup.controllers", "cpu memory pids\n");
        Write("edgevirt/a/cpu.stat", "usage_usec 1500000\nuser_usec 1\n");
        Write("edgevirt/a/memory.current", "1000\n");
        Write("edgevirt/a/memory.stat", "anon 5\ninactive_file 400\n");
        Write("edgevirt/a/memory.events", "low 0\noom 2\noom_kill 1\n");
        var cgroups = new Cgroups(directory.FullName);
        Assert.That(cgroups.Layout, Is.EqualTo(CgroupLayout.Unified));
        Assert.That(cgroups.Usage("/edgevirt/a"), Is.EqualTo(new CgroupUsage(1.5, 600)));
        Assert.That(cgroups.OutOfMemoryKills("/edgevirt/a"), Is.EqualTo(1));
        Assert.That(cgroups.Usage("/edgevirt/gone"), Is.Null);
        Assert.That(cgroups.HasController("memory"), Is.True);
        Assert.That(cgroups.HasController("cpuset"), Is.False);
    }

    [Test]
    public void Usage_is_read_from_version_1_groups()
    {
        Write("cpu/cpu.cfs_quota_us", "-1\n");
        Write("cpuacct/edgevirt/a/cpuacct.usage", "2500000000\n");
        Write("memory/edgevirt/a/memory.usage_in_bytes", "1000\n");
        Write("memory/edgevirt/a/memory.stat", "inactive_file 1\ntotal_inactive_file 300\n");
        Write("memory/edgevirt/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
        Write("pids/edgevirt/a/cgroup.procs", "12\n13\n");
        var cgroups = new Cgroups(directory.FullName);
        Assert.That(cgroups.Layout, Is.EqualTo(CgroupLayout.Legacy));
        Assert.That(cgroups.Usage("/edgevirt/a"), Is.EqualTo(new CgroupUsage(2.5, 700)));
        Assert.That(cgroups.OutOfMemoryKills("/edgevirt/a"), Is.EqualTo(3));
        Assert.That(cgroups.Processes("/edgevirt/a"), Is.EqualTo([12, 13]));
        Assert.That(cgroups.HasController("cpu"), Is.True);
        Assert.That(cgroups.HasController("memory"), Is.False);
    }

    [Test]
    [Category("root")]
    public void A_process_is_placed_in_a_version_2_group_which_goes_when_it_is_empty()
    {
        var root = new[] { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" }.First(path => File.Exists(Path.Combine(path, "cgroup.procs")) && File.Exists(Path.Combine(path, "cgroup.controllers")));
        var cgroups = new Cgroups(root);
        var group = $"/{directory.Name}/monitors";
        using var process = System.Diagnostics.Process.Start("sleep", "60");
        try
        {
            Assert.That(cgroups.Place(process.Id, group), Is.True);
            Assert.That(Processes.IsInCgroup(process.Id, group), Is.True);
            Assert.That(cgroups.Processes(group), Is.EqualTo([process.Id]));
            cgroups.Remove(group);
            Assert.That(Directory.Exists(root + group), Is.True, "it is in use");
        }
        finally
        {
            process.Kill();
            process.WaitForExit();
            cgroups.Remove(group);
            cgroups.Remove(Path.GetDirectoryName(group)!);
        }

        Assert.That(Directory.Exists($"{root}/{directory.Name}"), Is.False);
        Assert.That(cgroups.Place(process.Id, group), Is.False, "it is gone");
        cgroups.Remove(group);
        cgroups.Remove(Path.GetDirectoryName(group)!);
    }

    [Test]
    public void Where_there_are_version_1_groups_a_process_stays_where_it_is() =>
        Assert.That(new Cgroups(directory.FullName).Place(Environment.ProcessId, "/edgevirt/monitors"), Is.False);

    private void Write(string path, string text)
    {
        var full = Path.Combine(directory.FullName, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
    }
}
