using EdgeVirt.Linux.Files;

namespace EdgeVirt.Linux.Tests;

[Category("root")]
internal sealed class GroupAccessTests
{
    private string folder = null!;

    [SetUp]
    public void SetUp() => folder = Directory.CreateTempSubdirectory("group-").FullName;

    [TearDown]
    public void TearDown() => Directory.Delete(folder, recursive: true);

    [Test]
    public async Task A_tree_becomes_the_groups_and_links_lead_it_nowhere()
    {
        var outside = Path.Combine(folder, "outside");
        File.WriteAllText(outside, "x");
        await RunAsync($"chmod 600 {outside}; mkdir -p {folder}/v/sub; cd {folder}/v; echo x > sub/f; chmod 600 sub/f; echo x > run; chmod 4711 run; ln -s ../outside link; chmod 755 . sub");
        GroupAccess.Grant(Path.Combine(folder, "v"), 4242);
        Assert.That(
            await RunAsync($"cd {folder}/v; stat -c '%n %g %a' . sub sub/f run; stat -c '%g %a' {outside}"),
            Is.EqualTo(". 4242 2775\nsub 4242 2775\nsub/f 4242 660\nrun 4242 4771\n0 600\n"));
        await RunAsync($"echo x > {folder}/v/sub/made");
        Assert.That(await RunAsync($"stat -c %g {folder}/v/sub/made"), Is.EqualTo("4242\n"), "later ones too");
    }

    private static async Task<string> RunAsync(string script) => (await ProcessRunner.RunAsync("/bin/sh", ["-ec", script], TimeSpan.FromSeconds(10))).Output;
}
