using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Volumes;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.Containers.Volumes;

internal sealed class HostPathsTests
{
    private TempDirectory directory = null!;

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        directory.Subdirectory("open/sub");
        directory.Subdirectory("shut");
        File.WriteAllText(directory.Combine("open", "file"), "x");
        File.WriteAllText(directory.Combine("shut", "secret"), "x");
    }

    [TearDown]
    public void TearDown() => directory.Dispose();

    [Test]
    public void Nothing_is_allowed_by_default_and_the_refusal_says_what_to_do() => Assert.That(
        () => new HostPaths([]).Open(Source("open"), readOnly: true),
        Throws.InstanceOf<StartFailedException>().With.Message.Contains("allowedHostPaths").And.Message.Contains(directory.Combine("open")));

    [TestCase("open", true)]
    [TestCase("open/sub", true)]
    [TestCase("open/./sub/", true)]
    [TestCase("shut", false)]
    [TestCase("openly", false)]
    public void A_prefix_covers_itself_and_what_is_below(string path, bool allowed)
    {
        directory.Subdirectory("openly");
        Assert.That(IsOpened(Source(path), readOnly: false), Is.EqualTo(allowed));
    }

    [Test]
    public void A_read_only_prefix_is_for_mounts_that_are_read_only()
    {
        var paths = new HostPaths([new AllowedHostPath { PathPrefix = directory.Combine("open"), ReadOnly = true }]);
        using var opened = paths.Open(Source("open/file"), readOnly: true);
        Assert.That(opened.Kind, Is.EqualTo(FileKind.File));
        Assert.That(() => paths.Open(Source("open/file"), readOnly: false), Throws.InstanceOf<StartFailedException>().With.Message.Contains("readOnly: true"));
    }

    [TestCase("../shut")]
    [TestCase("../shut/secret")]
    [TestCase("/etc/shadow")]
    [TestCase("/proc/self/root/etc")]
    public void A_link_that_leads_out_is_refused(string target)
    {
        File.CreateSymbolicLink(directory.Combine("open", "link"), target);
        Assert.That(() => Paths().Open(Source("open/link"), readOnly: true), Throws.InstanceOf<StartFailedException>().With.Message.Contains("symbolic link"));
    }

    [Test]
    public void A_link_that_stays_within_is_followed_also_in_the_prefix_itself()
    {
        File.CreateSymbolicLink(directory.Combine("open", "link"), directory.Combine("open", "sub"));
        File.CreateSymbolicLink(directory.Combine("alias"), directory.Combine("open"));
        Assert.That(IsOpened(Source("open/link"), readOnly: false), Is.True);
        using var opened = new HostPaths([new AllowedHostPath { PathPrefix = directory.Combine("alias") }]).Open(Source("alias/file"), readOnly: false);
        Assert.That(opened.RealPath, Is.EqualTo(directory.Combine("open", "file")));
    }

    [TestCase("open/file", HostPathType.File, true)]
    [TestCase("open/file", HostPathType.Directory, false)]
    [TestCase("open/sub", HostPathType.Directory, true)]
    [TestCase("open/sub", HostPathType.File, false)]
    [TestCase("open/none", HostPathType.Directory, false)]
    [TestCase("open/none", null, false)]
    [TestCase("open/a/b/c", HostPathType.DirectoryOrCreate, true)]
    [TestCase("open/made", HostPathType.FileOrCreate, true)]
    [TestCase("open/a/made", HostPathType.FileOrCreate, false)]
    [TestCase("open/sub", HostPathType.FileOrCreate, false)]
    [TestCase("open/file", HostPathType.Socket, false)]
    [TestCase("open/file", HostPathType.CharDevice, false)]
    public void What_is_there_must_be_of_the_type(string path, HostPathType? type, bool works) =>
        Assert.That(IsOpened(Source(path) with { Type = type }, readOnly: false), Is.EqualTo(works));

    [Test]
    public void Nothing_is_made_through_a_link_that_leads_out()
    {
        File.CreateSymbolicLink(directory.Combine("open", "link"), "../shut");
        Assert.That(IsOpened(Source("open/link/made") with { Type = HostPathType.DirectoryOrCreate }, readOnly: false), Is.False);
        Assert.That(IsOpened(Source("open/link/file") with { Type = HostPathType.FileOrCreate }, readOnly: false), Is.False);
        Assert.That(Directory.GetFileSystemEntries(directory.Combine("shut")), Has.Length.EqualTo(1));
    }

    [Test]
    public void What_was_opened_stays_what_it_was()
    {
        using var opened = Paths().Open(Source("open/sub"), readOnly: false);
        Directory.Move(directory.Combine("open", "sub"), directory.Combine("open", "other"));
        File.CreateSymbolicLink(directory.Combine("open", "sub"), directory.Combine("shut"));
        Assert.That(opened.RealPath, Is.EqualTo(directory.Combine("open", "other")));
    }

    [TestCase("link/x")]
    [TestCase("up")]
    public void What_is_below_a_directory_never_leads_out_of_it(string path)
    {
        File.CreateSymbolicLink(directory.Combine("open", "link"), directory.Combine("shut"));
        File.CreateSymbolicLink(directory.Combine("open", "up"), "..");
        using var root = PinnedPath.TryOpen(directory.Combine("open"))!;
        Assert.That(() => root.TryOpenBelow(path), Throws.InstanceOf<OutsideTreeException>());
        Assert.That(() => root.MakeDirectoryBelow(path, 0x1ED), Throws.InstanceOf<OutsideTreeException>());
    }

    private HostPaths Paths() => new([new AllowedHostPath { PathPrefix = directory.Combine("open") }]);

    private HostPathSource Source(string path) => new() { Path = directory.Combine(path) };

    private bool IsOpened(HostPathSource source, bool readOnly)
    {
        try
        {
            using var opened = Paths().Open(source, readOnly);
            return true;
        }
        catch (StartFailedException)
        {
            return false;
        }
    }
}
