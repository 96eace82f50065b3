using EdgeVirt.Linux.Files;
using EdgeVirt.Node.VirtualMachines.CloudInit;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.CloudInit;

/// <summary>The image that the real xorriso writes.</summary>
[Category("root")]
public sealed class SeedImageTests
{
    private static readonly Unprivileged User = new(Unprivileged.FirstUser + 11);
    private static readonly CloudInitSeed Seed = new("{\"instance-id\":\"iid-1\"}\n", "#cloud-config\n{}\n", "{\"version\":2}\n");

    [Test]
    public async Task The_same_seed_is_the_same_bytes()
    {
        using var directory = new TempDirectory();
        await SeedImage.WriteAsync(Seed, directory.Combine("a.iso"), User, default);
        await Task.Delay(1100);
        await SeedImage.WriteAsync(Seed, directory.Combine("b.iso"), User, default);
        Assert.That(File.ReadAllBytes(directory.Combine("a.iso")), Is.EqualTo(File.ReadAllBytes(directory.Combine("b.iso"))));
        await SeedImage.WriteAsync(Seed with { UserData = "#!/bin/sh\n" }, directory.Combine("b.iso"), User, default);
        Assert.That(File.ReadAllBytes(directory.Combine("a.iso")), Is.Not.EqualTo(File.ReadAllBytes(directory.Combine("b.iso"))));
        Assert.That(Directory.GetFileSystemEntries(directory.Path).Select(Path.GetFileName), Is.EquivalentTo((string[])["a.iso", "b.iso"]), "nothing else stays");
    }

    [Test]
    public async Task Has_the_name_and_the_files_that_NoCloud_looks_for_and_one_reader()
    {
        using var directory = new TempDirectory();
        var image = directory.Combine("seed.iso");
        await SeedImage.WriteAsync(Seed, image, User, default);
        Assert.That(Command.Run("blkid", "-p", "-s", "LABEL", "-o", "value", image).Trim(), Is.EqualTo("cidata"));
        Assert.That((Ownership.Of(image), File.GetUnixFileMode(image)), Is.EqualTo(((User.User, User.User), UnixFileMode.UserRead)));
        Assert.That(new FileInfo(image).Length % 512, Is.Zero);

        Command.Run("xorriso", "-osirrox", "on", "-indev", image, "-extract", "/", directory.Combine("out"));
        Assert.That(File.ReadAllText(directory.Combine("out", "meta-data")), Is.EqualTo(Seed.MetaData));
        Assert.That(File.ReadAllText(directory.Combine("out", "user-data")), Is.EqualTo(Seed.UserData));
        Assert.That(File.ReadAllText(directory.Combine("out", "network-config")), Is.EqualTo(Seed.NetworkConfig));
    }

    [Test]
    public async Task Says_why_it_cannot_be_written()
    {
        using var directory = new TempDirectory();
        File.WriteAllText(directory.Combine("file"), "");
        var fault = (await Assert.ThrowsAsync<VmStartException>(() => SeedImage.WriteAsync(Seed, directory.Combine("file", "seed.iso"), User, default)))!;
        Assert.That(fault.Message, Does.StartWith("what cloud-init is told cannot be written: "));
    }
}
