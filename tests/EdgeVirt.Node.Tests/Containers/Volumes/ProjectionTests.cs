using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Volumes;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.Containers.Volumes;

/// <summary>Secrets and Configs as files: which, and how they change.</summary>
internal sealed class ProjectionTests
{
    private TempDirectory directory = null!;

    private string Volume => directory.Combine("v");

    [SetUp]
    public void SetUp() => directory = new TempDirectory();

    [TearDown]
    public void TearDown() => directory.Dispose();

    [Test]
    public void Without_items_every_key_is_a_file_and_with_them_just_those()
    {
        Assert.That(Files(new ConfigSource { Name = "c" }).Keys, Is.EqualTo(["a", "b"]));
        var some = Files(new ConfigSource { Name = "c", DefaultMode = 0x180, Items = [new KeyToPath { Key = "b", Path = "etc/b.conf", Mode = 0x124 }, new KeyToPath { Key = "a", Path = "a" }] });
        Assert.That(some.Select(pair => (pair.Key, (int)pair.Value.Mode)), Is.EqualTo([("a", 0x180), ("etc/b.conf", 0x124)]));
    }

    [Test]
    public void What_is_missing_is_named_unless_it_is_optional()
    {
        Assert.That(Problem(new ConfigSource { Name = "none" }), Does.Contain("Config 'none'"));
        Assert.That(Problem(new ConfigSource { Name = "c", Items = [new KeyToPath { Key = "z", Path = "z" }] }), Does.Contain("'z'").And.Contain("Config 'c'"));
        Assert.That(Problem(new ConfigSource { Name = "none", Optional = true }), Is.Null);
        Assert.That(Files(new ConfigSource { Name = "none", Optional = true }), Is.Empty);
        Assert.That(Files(new ConfigSource { Name = "c", Optional = true, Items = [new KeyToPath { Key = "z", Path = "z" }, new KeyToPath { Key = "a", Path = "a" }] }).Keys, Is.EqualTo(["a"]));
    }

    [Test]
    public void With_a_group_of_its_own_the_group_may_read() =>
        Assert.That((int)Files(new ConfigSource { Name = "c", DefaultMode = 0x100 }, groupReads: true)["a"].Mode, Is.EqualTo(0x120));

    [Test]
    public void All_files_change_at_one_moment_and_what_is_gone_goes()
    {
        Assert.That(Write(("a", "1"), ("sub/b", "1"), ("sub/deep/c", "1")), Is.True);
        var open = File.OpenRead(Path.Combine(Volume, "a"));
        var before = new FileInfo(Path.Combine(Volume, "..data")).LinkTarget;
        Assert.That(Write(("a", "1"), ("sub/b", "1"), ("sub/deep/c", "1")), Is.False, "nothing changed");
        Assert.That(Write(("a", "2"), ("sub/b", "2"), ("new", "2")), Is.True);
        using var reader = new StreamReader(open);
        Assert.That(reader.ReadToEnd(), Is.EqualTo("1"), "who had it open reads on");
        Assert.That(File.ReadAllText(Path.Combine(Volume, "a")) + File.ReadAllText(Path.Combine(Volume, "sub", "b")) + File.ReadAllText(Path.Combine(Volume, "new")), Is.EqualTo("222"));
        Assert.That(new FileInfo(Path.Combine(Volume, "..data")).LinkTarget, Is.Not.EqualTo(before));
        Assert.That(Directory.GetFileSystemEntries(Volume).Select(Path.GetFileName), Is.EquivalentTo(["..data", new FileInfo(Path.Combine(Volume, "..data")).LinkTarget, "a", "sub", "new"]));

        Assert.That(Write(("new", "3")), Is.True);
        Assert.That(Directory.GetFileSystemEntries(Volume).Select(Path.GetFileName).Where(name => !name!.StartsWith("..")), Is.EqualTo(["new"]));
    }

    [Test]
    public void What_an_agent_that_died_left_half_written_is_written_anew()
    {
        Write(("a", "1"));
        var link = new FileInfo(Path.Combine(Volume, "..data"));
        var name = link.LinkTarget!;
        link.Delete();
        File.WriteAllText(Path.Combine(Volume, name, "a"), "half");
        File.CreateSymbolicLink(Path.Combine(Volume, "..data_tmp"), "nowhere");
        Assert.That(Write(("a", "1")), Is.True);
        Assert.That(File.ReadAllText(Path.Combine(Volume, "a")), Is.EqualTo("1"));
        Assert.That(Directory.GetFileSystemEntries(Volume), Has.Length.EqualTo(3));
    }

    [TestCase(true, null)]
    [TestCase(false, "Config 'c'")]
    public void A_variable_of_a_missing_key_is_left_out_where_it_is_optional(bool optional, string? problem)
    {
        var container = new ContainerSpec
        {
            Name = "main", Image = "r.local/x:1",
            Env = [new EnvVar { Name = "Z", ValueFrom = new EnvVarSource { ConfigKeyRef = new KeyRef { Name = "c", Key = "z", Optional = optional } } }],
        };
        if (problem is null)
        {
            Assert.That(WorkloadPreparation.EnvironmentOf(container, References), Is.Empty);
        }
        else
        {
            Assert.That(() => WorkloadPreparation.EnvironmentOf(container, References), Throws.InstanceOf<PreparationFailedException>().With.Message.Contains(problem));
        }
    }

    private static References References { get; } = new(new NodeDocument
    {
        Node = "n", Configs = [new DesiredConfig { Name = "c", Data = new Dictionary<string, string> { ["b"] = "2", ["a"] = "1" } }],
    });

    private static IReadOnlyDictionary<string, ProjectedFile> Files(ConfigSource source, bool groupReads = false) => Projection.FilesOf(new VolumeSpec { Name = "v", Config = source }, References, groupReads);

    private static string? Problem(ConfigSource source) => Projection.ProblemOf(new VolumeSpec { Name = "v", Config = source }, References);

    private bool Write(params (string Path, string Content)[] files) => ProjectedDirectory.Write(
        Volume, files.ToDictionary(file => file.Path, file => new ProjectedFile(System.Text.Encoding.UTF8.GetBytes(file.Content), (UnixFileMode)0x1A4)), group: null);
}
