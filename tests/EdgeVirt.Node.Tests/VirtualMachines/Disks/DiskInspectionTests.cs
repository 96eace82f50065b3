using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Disks;

/// <summary>Good and bad disks, looked at by the real qemu-img.</summary>
[Category("root")]
public sealed class DiskInspectionTests
{
    private DiskFiles files = null!;

    [SetUp]
    public void SetUp() => files = new DiskFiles();

    [TearDown]
    public void TearDown() => files.Dispose();

    [Test]
    public async Task Takes_sound_disks()
    {
        Assert.That(await InspectAsync(files.Qcow2("a")), Is.EqualTo(new InspectedDisk(DiskFormat.Qcow2, 8 * DiskFiles.MiB)));
        Assert.That(await InspectAsync(files.Qcow2("b", 8, "-o", "compat=0.10")), Is.EqualTo(new InspectedDisk(DiskFormat.Qcow2, 8 * DiskFiles.MiB)));
        Assert.That(await InspectAsync(files.Qcow2("c", 8, "-o", "extended_l2=on,compression_type=zstd")), Is.EqualTo(new InspectedDisk(DiskFormat.Qcow2, 8 * DiskFiles.MiB)));
        Assert.That(await InspectAsync(files.Raw("d")), Is.EqualTo(new InspectedDisk(DiskFormat.Raw, 8 * DiskFiles.MiB)));
    }

    [Test]
    public async Task Refuses_a_backing_file()
    {
        files.Raw("host");
        var disk = files.Qcow2("a", 8, "-b", files.Combine("host"), "-F", "raw");
        Assert.That(await RefusalAsync(disk), Is.EqualTo(DiskRefusedReason.NamesAnotherFile));
    }

    [Test]
    public async Task Refuses_an_external_data_file() =>
        Assert.That(await RefusalAsync(files.Qcow2("a", 8, "-o", $"data_file={files.Combine("data")},data_file_raw=on")), Is.EqualTo(DiskRefusedReason.NamesAnotherFile));

    [TestCase(1ul, TestName = "Refuses a disk encrypted by AES")]
    [TestCase(2ul, TestName = "Refuses a disk encrypted by LUKS")]
    public async Task Refuses_an_encrypted_disk(ulong method)
    {
        var disk = files.Qcow2("a");
        DiskFiles.Patch(disk, 32, method, 4);
        Assert.That(await RefusalAsync(disk), Is.EqualTo(DiskRefusedReason.Unsupported));
    }

    // Offset and value of a field; see qcow2.txt.
    [TestCase(72, 2ul, 8, TestName = "Refuses a disk marked corrupt")]
    [TestCase(72, 1ul, 8, TestName = "Refuses a disk that was not closed")]
    [TestCase(40, 0x7fff_ffff_0000ul, 8, TestName = "Refuses a disk whose table lies beyond its end")]
    [TestCase(40, 0x123ul, 8, TestName = "Refuses a disk whose table lies askew")]
    [TestCase(20, 63ul, 4, TestName = "Refuses a disk of absurd clusters")]
    [TestCase(36, 0xffff_fffful, 4, TestName = "Refuses a disk of an absurd table")]
    public async Task Refuses_a_damaged_disk(int offset, ulong value, int bytes)
    {
        var disk = files.Qcow2("a");
        DiskFiles.Patch(disk, offset, value, bytes);
        Assert.That(await RefusalAsync(disk), Is.EqualTo(DiskRefusedReason.Corrupt));
    }

    [Test]
    public async Task Refuses_a_disk_whose_clusters_overlap()
    {
        var disk = files.Qcow2("a", 64);
        Command.Run("qemu-io", "-f", "qcow2", "-c", "write -P 1 0 64k", disk);
        // The first table of references to clusters points at the header.
        Command.Run("qemu-img", "check", "-q", "-f", "qcow2", disk);
        var table = ReadBig(disk, 40);
        DiskFiles.Patch(disk, (int)table, 0x8000_0000_0000_0000);
        Assert.That(await RefusalAsync(disk), Is.EqualTo(DiskRefusedReason.Corrupt));
    }

    [Test]
    public async Task Refuses_a_disk_cut_short()
    {
        var disk = files.Qcow2("a");
        using (var file = File.OpenWrite(disk))
        {
            file.SetLength(60);
        }

        Assert.That(await RefusalAsync(disk), Is.EqualTo(DiskRefusedReason.Corrupt));
    }

    [Test]
    public async Task Refuses_absurd_sizes()
    {
        Assert.That(await RefusalAsync(files.Qcow2("a", 5 << 10)), Is.EqualTo(DiskRefusedReason.TooLarge), "more than the partition");
        var disk = files.Qcow2("b");
        DiskFiles.Patch(disk, 24, 1ul << 62);
        Assert.That(await RefusalAsync(disk), Is.AnyOf(DiskRefusedReason.Corrupt, DiskRefusedReason.TooLarge));
        DiskFiles.Patch(disk, 24, 0);
        Assert.That(await RefusalAsync(disk), Is.EqualTo(DiskRefusedReason.Corrupt), "a disk of nothing");
    }

    [Test]
    public async Task Refuses_what_is_no_whole_number_of_sectors()
    {
        File.WriteAllBytes(files.Combine("a"), new byte[513]);
        Assert.That(await RefusalAsync(files.Combine("a")), Is.EqualTo(DiskRefusedReason.Corrupt));
        File.WriteAllBytes(files.Combine("b"), []);
        Assert.That(await RefusalAsync(files.Combine("b")), Is.EqualTo(DiskRefusedReason.Corrupt));
    }

    [TestCase("vmdk")]
    [TestCase("vhdx")]
    [TestCase("vdi")]
    [TestCase("qed")]
    [TestCase("vpc")]
    public async Task Refuses_other_formats_and_says_what_to_do(string format)
    {
        Command.Run("qemu-img", "create", "-q", "-f", format, files.Combine("a"), "8M");
        if (format == "vpc")
        {
            // Its dynamic kind begins with the mark; the fixed kind has it at its end and is a raw disk before that.
            Assert.That(File.ReadAllBytes(files.Combine("a")).Take(8), Is.EqualTo("conectix"u8.ToArray()));
        }

        var refused = (await Assert.ThrowsAsync<DiskRefusedException>(() => InspectAsync(files.Combine("a"))))!;
        Assert.That((refused.Reason, refused.Message), Is.EqualTo((DiskRefusedReason.Unsupported, refused.Message)));
        Assert.That(refused.Message, Does.Contain("qemu-img convert -O qcow2"));
    }

    [TestCase("gzip")]
    [TestCase("xz")]
    [TestCase("zstd")]
    public async Task Refuses_compressed_files(string tool)
    {
        Command.Run(tool, "-q", "-k", files.Raw("a"));
        Assert.That(await RefusalAsync(Directory.GetFiles(files.Combine(".")).Single(path => Path.HasExtension(path))), Is.EqualTo(DiskRefusedReason.Unsupported));
    }

    [Test]
    public async Task Junk_never_brings_it_down()
    {
        var disk = files.Qcow2("a");
        var sound = File.ReadAllBytes(disk);
        var random = new Random(20_261_127);
        for (var i = 0; i < 25; i++)
        {
            var bytes = (byte[])sound.Clone();
            for (var changes = 0; changes < 4; changes++)
            {
                bytes[4 + random.Next(100)] = (byte)random.Next(256);
            }

            File.WriteAllBytes(disk, bytes);
            try
            {
                Assert.That((await InspectAsync(disk)).VirtualBytes, Is.GreaterThan(0));
            }
            catch (DiskRefusedException)
            {
                // As it should be.
            }
        }
    }

    private static long ReadBig(string path, int offset)
    {
        using var file = File.OpenRead(path);
        file.Position = offset;
        var bytes = new byte[8];
        file.ReadExactly(bytes);
        return System.Buffers.Binary.BinaryPrimitives.ReadInt64BigEndian(bytes);
    }

    private Task<InspectedDisk> InspectAsync(string path) => files.Inspection.InspectAsync(path, default);

    private async Task<DiskRefusedReason> RefusalAsync(string path) => (await Assert.ThrowsAsync<DiskRefusedException>(() => InspectAsync(path)))!.Reason;
}
