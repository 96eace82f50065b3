using System.Diagnostics;
using System.Text;
using EdgeVirt.Linux.Files;

namespace EdgeVirt.Linux.Tests;

public sealed class ReadOnlyTreeTests
{
    private string _root = null!;

    [SetUp]
    public void Make()
    {
        _root = Directory.CreateTempSubdirectory("edgevirt-tree-").FullName;
        Directory.CreateDirectory(Path.Combine(_root, "tree", "deep"));
        File.WriteAllText(Path.Combine(_root, "secret"), "outside");
        File.WriteAllText(Path.Combine(_root, "tree", "file"), "12345");
        File.WriteAllText(Path.Combine(_root, "tree", "deep", "file"), "123");
        File.CreateSymbolicLink(Path.Combine(_root, "tree", "link"), "file");
        File.CreateSymbolicLink(Path.Combine(_root, "tree", "out"), "..");
        using var fifo = Process.Start("mkfifo", Path.Combine(_root, "tree", "fifo"));
        fifo.WaitForExit();
    }

    [TearDown]
    public void Remove() => Directory.Delete(_root, recursive: true);

    [TestCase("file", 5)]
    [TestCase("deep/file", 3)]
    [TestCase("link", -1)]
    [TestCase("out/secret", -1)]
    [TestCase("../secret", -1)]
    [TestCase("/etc/passwd", -1)]
    [TestCase("deep", -1)]
    [TestCase("fifo", -1)]
    [TestCase("none", -1)]
    [TestCase("", -1)]
    [TestCase("file\0", -1)]
    public void Opens_regular_files_beneath_it_and_nothing_else(string path, long expected)
    {
        using var tree = ReadOnlyTree.OpenOrNull(Path.Combine(_root, "tree"))!;
        using var file = tree.OpenFileOrNull(Encoding.UTF8.GetBytes(path), out var size);
        Assert.That(file is null ? -1 : size, Is.EqualTo(expected));
    }

    [Test]
    public void Lists_regular_files_with_their_sizes()
    {
        using var tree = ReadOnlyTree.OpenOrNull(Path.Combine(_root, "tree"))!;
        Assert.That(tree.Files().Select(file => (Encoding.UTF8.GetString(file.Path), file.Size)), Is.EquivalentTo(new[] { ("file", 5L), ("deep/file", 3L) }));
    }

    [Test]
    public void What_is_no_directory_is_no_tree()
    {
        Assert.That(ReadOnlyTree.OpenOrNull(Path.Combine(_root, "secret")), Is.Null);
        Assert.That(ReadOnlyTree.OpenOrNull(Path.Combine(_root, "tree", "out")), Is.Null);
        Assert.That(ReadOnlyTree.OpenOrNull(Path.Combine(_root, "none")), Is.Null);
    }
}
