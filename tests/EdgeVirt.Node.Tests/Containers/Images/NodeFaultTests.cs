using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Storage;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>What may be the node's fault is tried again; what is the image's own is not fetched again.</summary>
internal sealed class NodeFaultTests
{
    [TestCase(1, "does not let its agent")]
    [TestCase(5, "The disk fails")]
    [TestCase(12, "no memory")]
    [TestCase(13, "does not let its agent")]
    [TestCase(23, "Too many files")]
    [TestCase(24, "Too many files")]
    [TestCase(28, "The disk is full")]
    [TestCase(30, "read-only")]
    [TestCase(122, "The disk is full")]
    public void What_the_node_cannot_do_is_no_refusal(int errno, string message)
    {
        foreach (var failed in (Exception[])[new LinuxException("mkdir x", errno), new IOException("write x", errno)])
        {
            var fault = NodeFault.Of(failed);
            Assert.That(fault, Has.Message.Contains(message).And.Property("IsLocal").True.And.Property("InnerException").SameAs(failed));
            Assert.That(fault!.RoomWanted is not null, Is.EqualTo(errno is 28 or 122));
        }
    }

    // E2BIG, EINVAL, EMLINK, ERANGE, ENAMETOOLONG, and what did not come from the kernel.
    [TestCase(7)]
    [TestCase(22)]
    [TestCase(31)]
    [TestCase(34)]
    [TestCase(36)]
    [TestCase(0)]
    public void What_an_image_asks_for_that_nothing_can_do_is_its_own_fault(int errno) => Assert.That(NodeFault.Of(new LinuxException("setxattr x", errno)), Is.Null);

    [Test]
    public void What_a_connection_says_is_no_fault_of_the_node() => Assert.That(NodeFault.Of(new HttpIOException(HttpRequestError.ResponseEnded)), Is.Null);

    [TestCase("chattr", "+i", "-i", "does not let its agent")]
    [TestCase("mount", "remount,ro", "remount,rw", "read-only")]
    [Category("root")]
    public async Task A_pull_that_the_node_fails_goes_on_when_it_can_and_fetches_nothing_twice(string tool, string breaking, string mending, string message)
    {
        using var disk = new TempDirectory();
        await Ext4Image.CreateAsync(disk.Combine("disk.ext4"), 32 << 20, reserve: false, default);
        var partition = disk.Subdirectory("mount");
        await Ext4Image.MountAsync(disk.Combine("disk.ext4"), partition, default);
        try
        {
            using var fixture = new StoreFixture();
            using var registry = new DockerRegistry(fixture.Root);
            await registry.StartAsync();
            await registry.PushAsync(Image("content"), "app", "1");
            await using var proxy = new CuttingProxy(registry.Port, long.MaxValue);
            using var store = Open(fixture, proxy, Path.Combine(partition, "images"));
            Task BreakAsync(string how) => tool == "mount"
                ? StoreFixture.RunAsync("mount", "-o", how, partition)
                : StoreFixture.RunAsync("chattr", how, fixture.Layers);

            await BreakAsync(breaking);
            Assert.That(() => PullAsync(store), Throws.TypeOf<ImagePullException>().With.Message.Contains(message).And.Property("IsLocal").True);
            await BreakAsync(mending);
            Assert.That((await PullAsync(store)).LayerDirectories, Has.Count.EqualTo(1));
            Assert.That(proxy.BytesReturned, Is.LessThan(1_100_000), "its layer has a million");
        }
        finally
        {
            Mounts.Unmount(partition, detach: true);
        }
    }

    [Test]
    [Category("root")]
    public async Task An_image_that_is_broken_itself_is_not_fetched_again_until_its_name_stands_for_another()
    {
        using var fixture = new StoreFixture();
        using var registry = new DockerRegistry(fixture.Root);
        await registry.StartAsync();
        await registry.PushAsync(Image("../outside"), "app", "1");
        await using var proxy = new CuttingProxy(registry.Port, long.MaxValue);
        using var store = Open(fixture, proxy, fixture.Options.ImagesDirectory);
        Assert.That(() => PullAsync(store), Throws.TypeOf<ImageRefusedException>().With.Property("Reason").EqualTo(ImageRefusedReason.EscapingPath));
        var once = proxy.BytesReturned;
        Assert.That(() => PullAsync(store), Throws.TypeOf<ImageRefusedException>().With.Property("Reason").EqualTo(ImageRefusedReason.EscapingPath));
        Assert.That(proxy.BytesReturned - once, Is.LessThan(20_000), "its manifest alone");

        await registry.PushAsync(Image("inside"), "app", "1");
        Assert.That((await PullAsync(store)).LayerDirectories, Has.Count.EqualTo(1));
    }

    private static TestImage Image(string name)
    {
        var noise = new byte[1_000_000];
        new Random(1).NextBytes(noise);
        return new TestImage(Packing.None, new TarBuilder().Add('0', "noise", noise).File(name).ToArray());
    }

    private static ImageStore Open(StoreFixture fixture, CuttingProxy proxy, string directory)
    {
        fixture.Options = fixture.Options with
        {
            ImagesDirectory = directory,
            Registries = new Dictionary<string, RegistryAccess> { ["registry.test"] = new() { Url = new Uri($"http://127.0.0.1:{proxy.Port}") } },
        };
        return fixture.Open();
    }

    private static Task<StoredImage> PullAsync(ImageStore store) => store.EnsureAsync(StoreFixture.Reference("registry.test/app:1"), ImagePullPolicy.IfNotPresent, default);
}
