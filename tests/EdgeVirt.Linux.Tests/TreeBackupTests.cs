using EdgeVirt.Linux.Files;

namespace EdgeVirt.Linux.Tests;

/// <summary>Backups: what is made anew is the same, with owners and links.</summary>
[Category("root")]
internal sealed class TreeBackupTests
{
    private string folder = null!;

    [SetUp]
    public void SetUp() => folder = Directory.CreateTempSubdirectory("backup-").FullName;

    [TearDown]
    public void TearDown() => Directory.Delete(folder, recursive: true);

    [Test]
    public async Task A_tree_comes_back_with_owners_modes_links_and_fifos()
    {
        var (from, to) = (Directory.CreateDirectory(Path.Combine(folder, "from")).FullName, Directory.CreateDirectory(Path.Combine(folder, "to")).FullName);
        var script = $"""
            cd {from}; chmod 2770 .; chown 0:4242 .
            mkdir -p a/b; echo one > a/b/f; chown -R 1000:2000 a; chmod 4755 a/b/f; ln a/b/f second; ln -s ../nowhere a/link; mkfifo -m 640 pipe; : > empty; touch -d @1000000000 a
            """;
        await ProcessRunner.RunAsync("/bin/sh", ["-ec", script], TimeSpan.FromSeconds(10));
        using var tar = new MemoryStream();
        await TreeSender.BackUpAsync(from, tar, default);
        tar.Position = 0;
        await TreeReceiver.RestoreAsync(tar, to, default);
        Assert.That(await ListAsync(to), Is.EqualTo(await ListAsync(from)));
        Assert.That(File.ReadAllText(Path.Combine(to, "second")), Is.EqualTo("one\n"));
    }

    [Test]
    public async Task What_is_cut_off_is_refused()
    {
        var (from, to) = (Directory.CreateDirectory(Path.Combine(folder, "from")).FullName, Directory.CreateDirectory(Path.Combine(folder, "to")).FullName);
        File.WriteAllText(Path.Combine(from, "f"), new string('x', 5000));
        using var tar = new MemoryStream();
        await TreeSender.BackUpAsync(from, tar, default);
        using var half = new MemoryStream(tar.ToArray()[..3000]);
        Assert.That(() => TreeReceiver.RestoreAsync(half, to, default), Throws.InstanceOf<IOException>().Or.InstanceOf<InvalidDataException>());
    }

    // Type and mode, owner, group, names, size but for directories, time of files and directories, target.
    private static async Task<string> ListAsync(string path) => (await ProcessRunner.RunAsync(
        "/bin/sh", ["-ec", $"cd {path}; find . -printf '%y %m %U %G %n %p %l ' '(' -type d -printf '%T@' -o -printf '%s %T@' ')' -printf '\\n' | sed 's/\\.[0-9]*$//' | sort -k6"], TimeSpan.FromSeconds(10))).Output;
}
