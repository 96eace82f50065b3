using EdgeVirt.Linux.Files;
using EdgeVirt.Testing;

namespace EdgeVirt.Linux.Tests;

/// <summary>User namespaces, and mounts that show files with their ids.</summary>
[Category("root")]
internal sealed class UserNamespacesTests
{
    private const uint First = 5 << 20;

    private TempDirectory directory = null!;
    private string users = null!;
    private string network = null!;

    [SetUp]
    public async Task SetUp()
    {
        directory = new TempDirectory();
        (users, network) = (directory.Combine("users"), directory.Combine("net"));
        await UserNamespaces.CreateAsync(users, network, First, 65536, default);
    }

    [TearDown]
    public void TearDown()
    {
        Mounts.UnmountBelow(directory.Path, detach: true);
        directory.Dispose();
    }

    [Test]
    public async Task Both_namespaces_are_held_and_the_network_belongs_to_the_users()
    {
        Assert.That(Mounts.List().Where(mount => mount.Target.StartsWith(directory.Path, StringComparison.Ordinal)).Select(mount => (mount.Target, mount.Type)), Is.EqualTo([(users, "nsfs"), (network, "nsfs")]));
        var inside = await ProcessRunner.RunAsync("nsenter", [$"--user={users}", $"--net={network}", "sh", "-c", "cat /proc/self/uid_map /proc/self/gid_map; ip link set lo up && echo mine"], TimeSpan.FromSeconds(20));
        Assert.That(inside.Output.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries), Is.EqualTo(["0", $"{First}", "65536", "0", $"{First}", "65536", "mine"]));
        NetworkNamespaces.Delete(users);
        NetworkNamespaces.Delete(network);
        Assert.That(Directory.GetFileSystemEntries(directory.Path), Is.Empty);
    }

    [Test]
    public async Task One_that_cannot_be_made_leaves_nobody_waiting()
    {
        await Assert.ThatAsync(() => UserNamespaces.CreateAsync(directory.Combine("other"), directory.Combine("net2"), First, 0, default), Throws.InstanceOf<IOException>());
        Assert.That(Processes.List().Where(process => process.Arguments.Contains("echo in; read -r _")), Is.Empty);
    }

    [Test]
    public void A_mapped_mount_shows_other_owners_than_the_disk_and_can_refuse_writes()
    {
        var source = directory.Subdirectory("source");
        File.WriteAllText(Path.Combine(source, "mine"), "x");
        File.WriteAllText(Path.Combine(source, "theirs"), "x");
        Ownership.Set(Path.Combine(source, "theirs"), 1000, 1001);
        using var pinned = PinnedPath.TryOpen(source)!;
        pinned.BindMappedTo(directory.Combine("shown"), users, recursive: false, readOnly: false);
        pinned.BindMappedTo(directory.Combine("fixed"), users, recursive: false, readOnly: true);
        Assert.That(OwnerOf("shown/mine"), Is.EqualTo((First, First)));
        Assert.That(OwnerOf("shown/theirs"), Is.EqualTo((First + 1000, First + 1001)));
        Assert.That(OwnerOf("source/theirs"), Is.EqualTo((1000u, 1001u)));
        Assert.That(() => File.WriteAllText(directory.Combine("fixed", "mine"), "y"), Throws.InstanceOf<IOException>().With.Message.Contains("Read-only"));
    }

    [Test]
    public void The_layers_of_an_overlay_are_shown_mapped_and_stay_as_they_are()
    {
        var (lower, upper, work, root) = (directory.Subdirectory("lower"), directory.Subdirectory("upper"), directory.Subdirectory("work"), directory.Subdirectory("root"));
        File.WriteAllText(Path.Combine(lower, "f"), "x");
        Ownership.Set(upper, First, First);
        var place = directory.Subdirectory("place");
        Overlay.Mount([lower, directory.Subdirectory("lower2")], upper, work, root, new LayerUsers(users, place));
        Assert.That(Mounts.List().Select(mount => mount.Target), Has.None.EqualTo(place));
        Assert.That((OwnerOf("root"), OwnerOf("root/f"), OwnerOf("lower/f")), Is.EqualTo(((First, First), (First, First), (0u, 0u))));
        File.AppendAllText(Path.Combine(root, "f"), "y");
        Assert.That(OwnerOf("upper/f"), Is.EqualTo((First, First)), "copied up as it was shown");
    }

    [Test]
    public void A_file_system_that_cannot_is_named()
    {
        using var proc = PinnedPath.TryOpen("/proc")!;
        Assert.That(() => proc.BindMappedTo(directory.Combine("shown"), users, recursive: false, readOnly: false), Throws.InstanceOf<LinuxException>().With.Message.Contains("map the owners"));
    }

    private (uint User, uint Group) OwnerOf(string path)
    {
        using var file = PinnedPath.TryOpen(directory.Combine(path.Split('/')))!;
        return (file.User, file.Group);
    }
}
