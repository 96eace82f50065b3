using EdgeVirt.Linux.Files;

namespace EdgeVirt.Linux.Tests;

/// <summary>Trees that travel as tar between two roots, which are directories here.</summary>
public sealed class TreeCopyTests
{
    private string folder = null!;

    private string From => Path.Combine(folder, "from");

    private string To => Path.Combine(folder, "to");

    [SetUp]
    public void SetUp()
    {
        folder = Directory.CreateTempSubdirectory("copy-").FullName;
        Directory.CreateDirectory(From);
        Directory.CreateDirectory(To);
    }

    [TearDown]
    public void TearDown() => Directory.Delete(folder, recursive: true);

    [Test]
    public async Task A_tree_arrives_with_content_modes_times_and_links()
    {
        Directory.CreateDirectory(Path.Combine(From, "site", "deep", "er"));
        var script = Write("site/deep/run.sh", "#!/bin/sh\n", UnixFileMode.UserRead | UnixFileMode.UserExecute);
        File.SetLastWriteTimeUtc(script, new DateTime(2020, 1, 2, 3, 4, 5, DateTimeKind.Utc));
        Write($"site/{new string('n', 150)}", new string('x', 100_000));
        Write("site/empty", "");
        File.CreateSymbolicLink(Path.Combine(From, "site", "link"), "/etc/passwd");

        await CopyAsync("/site", "/copy");

        var copied = Path.Combine(To, "copy", "deep", "run.sh");
        Assert.That(File.ReadAllText(copied), Is.EqualTo("#!/bin/sh\n"));
        Assert.That(File.GetUnixFileMode(copied), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserExecute));
        Assert.That(File.GetLastWriteTimeUtc(copied), Is.EqualTo(new DateTime(2020, 1, 2, 3, 4, 5, DateTimeKind.Utc)));
        Assert.That(new FileInfo(Path.Combine(To, "copy", new string('n', 150))).Length, Is.EqualTo(100_000));
        Assert.That(new FileInfo(Path.Combine(To, "copy", "link")).LinkTarget, Is.EqualTo("/etc/passwd"), "a link, not what it leads to");
        Assert.That(Directory.Exists(Path.Combine(To, "copy", "deep", "er")));
        Assert.That(Directory.GetFileSystemEntries(To), Has.Length.EqualTo(1), "nothing temporary is left");
    }

    [Test]
    public async Task A_directory_that_is_there_is_copied_into_and_added_to()
    {
        Write("f", "new");
        Directory.CreateDirectory(Path.Combine(To, "dir", "f-dir"));
        File.WriteAllText(Path.Combine(To, "dir", "f"), "old");
        await CopyAsync("f", "dir");
        Assert.That(File.ReadAllText(Path.Combine(To, "dir", "f")), Is.EqualTo("new"));

        Write("tree/a", "1");
        Directory.CreateDirectory(Path.Combine(To, "tree"));
        File.WriteAllText(Path.Combine(To, "tree", "b"), "2");
        await CopyAsync("tree", "/");
        Assert.That(Directory.GetFiles(Path.Combine(To, "tree")).Select(Path.GetFileName), Is.EquivalentTo(["a", "b"]));
    }

    [Test]
    public async Task Links_lead_nowhere_but_within_the_root()
    {
        var outside = Directory.CreateDirectory(Path.Combine(folder, "outside")).FullName;
        File.WriteAllText(Path.Combine(outside, "secret"), "geheim");
        File.CreateSymbolicLink(Path.Combine(From, "abs"), outside);
        File.CreateSymbolicLink(Path.Combine(From, "up"), "../outside");
        File.CreateSymbolicLink(Path.Combine(To, "abs"), outside);
        File.CreateSymbolicLink(Path.Combine(To, "up"), "../../../../" + outside);
        Write("f", "x");
        Assert.That(() => CopyAsync("abs/secret", "/"), Throws.InstanceOf<FileNotFoundException>());
        Assert.That(() => CopyAsync("up/secret", "/"), Throws.InstanceOf<FileNotFoundException>());
        Assert.That(() => CopyAsync("../outside/secret", "/"), Throws.InstanceOf<FileNotFoundException>());
        Assert.That(() => CopyAsync("f", "abs/x"), Throws.InstanceOf<DirectoryNotFoundException>());
        Assert.That(() => CopyAsync("f", "up/x"), Throws.InstanceOf<DirectoryNotFoundException>());
        Assert.That(Directory.GetFiles(outside), Has.Length.EqualTo(1));

        // A link that is in the way is replaced and not followed.
        File.CreateSymbolicLink(Path.Combine(To, "f"), Path.Combine(outside, "secret"));
        await CopyAsync("f", "/f");
        Assert.That(File.ReadAllText(Path.Combine(outside, "secret")), Is.EqualTo("geheim"));
        Assert.That(File.ReadAllText(Path.Combine(To, "f")), Is.EqualTo("x"));
    }

    [Test]
    public async Task A_link_within_the_root_is_followed_as_a_program_there_would()
    {
        Directory.CreateDirectory(Path.Combine(To, "real"));
        File.CreateSymbolicLink(Path.Combine(To, "alias"), "/real");
        Write("f", "x");
        await CopyAsync("f", "/alias");
        Assert.That(File.ReadAllText(Path.Combine(To, "real", "f")), Is.EqualTo("x"));
    }

    [TestCase("f", "none/", "There is no directory 'none/'")]
    [TestCase("f", "none/x", "There is no directory '/none'")]
    [TestCase("f", "dir", "is a directory there")]
    [TestCase("tree", "file", "is there and is no directory")]
    [TestCase("/", "dir", "say it")]
    public void What_cannot_be_is_explained_and_leaves_nothing(string from, string to, string words)
    {
        Write("f", "x");
        Write("tree/a", "1");
        Directory.CreateDirectory(Path.Combine(To, "dir", "f"));
        File.WriteAllText(Path.Combine(To, "file"), "old");
        Assert.That(() => CopyAsync(from, to), Throws.InstanceOf<IOException>().With.Message.Contains(words));
        Assert.That(Directory.GetFileSystemEntries(To, "*", SearchOption.AllDirectories), Has.Length.EqualTo(3));
        Assert.That(File.ReadAllText(Path.Combine(To, "file")), Is.EqualTo("old"));
    }

    [TestCase(700)]
    [TestCase(3000)]
    [TestCase(-1)]
    public async Task What_breaks_off_leaves_nothing(int after)
    {
        Write("tree/a", new string('x', 2000));
        Write("tree/b", new string('y', 2000));
        var tar = await SendAsync("tree");
        using var broken = new BreakingStream(after < 0 ? tar : tar[..after]);
        Assert.That(() => ReceiveAsync(broken, "/", "tree"), Throws.InstanceOf<IOException>());
        Assert.That(Directory.GetFileSystemEntries(To), Is.Empty);
    }

    [TestCase("../evil")]
    [TestCase("/evil")]
    [TestCase("source/../evil")]
    [TestCase("source/a/../../evil")]
    [TestCase("other")]
    public async Task A_hostile_tar_writes_nothing_outside(string name)
    {
        using var buffer = new MemoryStream();
        await using (var writer = new System.Formats.Tar.TarWriter(buffer, leaveOpen: true))
        {
            await writer.WriteEntryAsync(new System.Formats.Tar.PaxTarEntry(System.Formats.Tar.TarEntryType.Directory, "source"));
            await writer.WriteEntryAsync(new System.Formats.Tar.PaxTarEntry(System.Formats.Tar.TarEntryType.RegularFile, name) { DataStream = new MemoryStream([1]) });
        }

        buffer.Position = 0;
        Assert.That(() => ReceiveAsync(buffer, "/", "x"), Throws.InstanceOf<IOException>().Or.InstanceOf<InvalidDataException>());
        Assert.That(Directory.GetFileSystemEntries(folder, "*evil*", SearchOption.AllDirectories), Is.Empty);
        Assert.That(Directory.GetFileSystemEntries(To), Is.Empty);
    }

    [Test]
    public async Task A_link_in_the_tar_is_not_written_through()
    {
        var outside = Directory.CreateDirectory(Path.Combine(folder, "outside")).FullName;
        using var buffer = new MemoryStream();
        await using (var writer = new System.Formats.Tar.TarWriter(buffer, leaveOpen: true))
        {
            await writer.WriteEntryAsync(new System.Formats.Tar.PaxTarEntry(System.Formats.Tar.TarEntryType.Directory, "source"));
            await writer.WriteEntryAsync(new System.Formats.Tar.PaxTarEntry(System.Formats.Tar.TarEntryType.SymbolicLink, "source/out") { LinkName = outside });
            await writer.WriteEntryAsync(new System.Formats.Tar.PaxTarEntry(System.Formats.Tar.TarEntryType.RegularFile, "source/out/evil") { DataStream = new MemoryStream([1]) });
        }

        buffer.Position = 0;
        Assert.That(() => ReceiveAsync(buffer, "/", "x"), Throws.InstanceOf<IOException>());
        Assert.That(Directory.GetFileSystemEntries(outside), Is.Empty);
    }

    private string Write(string name, string text, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite)
    {
        var path = Path.Combine(From, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, mode);
        return path;
    }

    private async Task CopyAsync(string from, string to)
    {
        using var tar = new MemoryStream(await SendAsync(from));
        await ReceiveAsync(tar, to, from.Trim('/').Split('/')[^1]);
    }

    private async Task<byte[]> SendAsync(string from)
    {
        using var root = RootedDirectory.Open(From);
        using var source = root.OpenSource(from);
        using var tar = new MemoryStream();
        await TreeSender.SendAsync(source, tar, default);
        return tar.ToArray();
    }

    private async Task ReceiveAsync(Stream tar, string to, string name)
    {
        using var root = RootedDirectory.Open(To);
        var (directory, target) = root.OpenTarget(to, name);
        using var opened = directory;
        var (user, group) = Processes.Owner;
        await TreeReceiver.ReceiveAsync(tar, directory, target, user, group, default);
    }

    /// <summary>Fails where it would end.</summary>
    private sealed class BreakingStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            await base.ReadAsync(buffer, cancellationToken) is var count and > 0 ? count : throw new IOException("broke off");
    }
}
