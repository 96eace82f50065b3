using EdgeVirt.Linux.Storage;

namespace EdgeVirt.Linux.Tests.Storage;

internal sealed class BlockDevicesTests
{
    [Test]
    public void What_is_not_there_yet_lies_where_its_directory_does()
    {
        var folder = Directory.CreateTempSubdirectory("disk-");
        try
        {
            Assert.That(BlockDevices.DiskOf(Path.Combine(folder.FullName, "not", "yet")), Is.EqualTo(BlockDevices.DiskOf(folder.FullName)));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Test]
    public void What_lies_in_memory_lies_on_no_disk() => Assert.That(BlockDevices.DiskOf("/proc/self"), Is.Null);

    [Test]
    public void A_disk_is_no_partition()
    {
        if (BlockDevices.DiskOf(Path.GetTempPath()) is not { } disk)
        {
            Assert.Ignore("The temporary directory lies on no disk of its own here.");
            return;
        }

        Assert.That(Directory.Exists($"/sys/dev/block/{disk}"), Is.True);
        Assert.That(File.Exists($"/sys/dev/block/{disk}/partition"), Is.False);
    }
}
