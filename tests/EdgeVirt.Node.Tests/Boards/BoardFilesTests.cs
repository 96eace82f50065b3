using System.Text;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Boards;
using EdgeVirt.Node.Telemetry;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.Boards;

public sealed class BoardFilesTests
{
    private const string Nvme = """
        { "smartctl": { "exit_status": 0 }, "model_name": "WD Blue SN570 1TB", "serial_number": "2231", "firmware_version": "234110WD",
          "smart_status": { "passed": true }, "nvme_smart_health_information_log": { "critical_warning": 0, "percentage_used": 83 } }
        """;

    private const string Sata = """
        { "smartctl": { "exit_status": 8 }, "model_name": "Samsung SSD 860", "serial_number": "S3Z", "smart_status": { "passed": false },
          "ata_smart_attributes": { "table": [ { "id": 9, "name": "Power_On_Hours", "value": 95 }, { "id": 177, "name": "Wear_Leveling_Count", "value": 97 } ] } }
        """;

    private TempDirectory root = null!;

    [SetUp]
    public void SetUp() => root = new TempDirectory();

    [TearDown]
    public void TearDown() => root.Dispose();

    [Test]
    public void Cards_and_eMMC_tell_who_made_them_and_how_much_of_their_life_is_used()
    {
        Emmc("mmcblk0", life: "0x02 0x08\n", spare: "0x01\n");
        Write("sys/block/mmcblk0boot0/size", "8192\n");
        Write("sys/block/loop0/size", "8\n");
        Write("sys/block/dm-0/size", "8\n");
        Write("sys/block/mmcblk1/size", "62333952\n");
        Write("sys/block/mmcblk1/device/type", "SD\n");
        Write("sys/block/mmcblk1/device/name", "SN32G\n");
        Write("sys/block/mmcblk1/device/manfid", "0x000003\n");
        Write("sys/block/mmcblk1/device/date", "05/2024\n");
        Write("sys/block/vda/size", "2048\n");

        Assert.That(new BoardFiles(root.Path).Storage(), Is.EqualTo(new[]
        {
            new StorageDevice
            {
                Name = "mmcblk0", Kind = StorageKind.Emmc, Model = "BJTD4R", Manufacturer = "0x000015", SerialNumber = "0x12345678", Firmware = "0x0600000000000000",
                SizeBytes = 61071360L * 512, LifeUsedPercent = 80, Spare = "normal",
            },
            new StorageDevice { Name = "mmcblk1", Kind = StorageKind.SdCard, Model = "SN32G", Manufacturer = "0x000003", MadeAt = "05/2024", SizeBytes = 62333952L * 512 },
            new StorageDevice { Name = "vda", SizeBytes = 1 << 20 },
        }));
    }

    [TestCase("0x00 0x00", null)]
    [TestCase("0x01 0x01", 10)]
    [TestCase("0x03 0x0b", 110)]
    [TestCase("?", null)]
    public void The_life_of_an_eMMC_is_read_as_its_standard_says(string text, int? percent)
    {
        Emmc("mmcblk0", text, "0x00");
        Assert.That(new BoardFiles(root.Path).Storage().Single().LifeUsedPercent, Is.EqualTo(percent));
    }

    [Test]
    public void A_Raspberry_Pi_tells_its_EEPROM_and_a_PC_its_UEFI()
    {
        Write("sys/class/dmi/id/bios_vendor", "EDK II\n");
        Write("sys/class/dmi/id/bios_version", "2025.02-8\n");
        Write("sys/class/dmi/id/bios_date", "03/02/2025\n");
        Assert.That(new BoardFiles(root.Path).Firmware(), Is.EqualTo(new NodeFirmware { Vendor = "EDK II", Version = "2025.02-8", Date = "03/02/2025" }));

        // 2025-01-22, as a cell of the device tree.
        Write("proc/device-tree/chosen/bootloader/build-timestamp", [0x67, 0x90, 0x5B, 0x00]);
        Write("proc/device-tree/chosen/bootloader/version", "f788aab60f6f0a9d0a3f3b7f4a5b6c7d8e9f0a1b\0");
        Assert.That(
            new BoardFiles(root.Path).Firmware(),
            Is.EqualTo(new NodeFirmware { Vendor = "Raspberry Pi", Version = "f788aab60f6f0a9d0a3f3b7f4a5b6c7d8e9f0a1b", Date = "2025-01-22" }));
    }

    [Test]
    public void The_image_and_its_slot_are_told_where_there_is_one()
    {
        Assert.That(new BoardFiles(root.Path).Image(), Is.Null);
        Assert.That(new BoardFiles(root.Path).Firmware(), Is.Null);
        Write("usr/lib/os-release", "ID=debian\nIMAGE_ID=\"edgevirt-rpi4\"\nIMAGE_VERSION=13.1+20261127.0\nVARIANT_ID=debug\n");
        Write("proc/cmdline", "console=ttyAMA0 rauc.slot=B quiet\n");
        Assert.That(
            new BoardFiles(root.Path).Image(), Is.EqualTo(new NodeImage { Id = "edgevirt-rpi4", Version = "13.1+20261127.0", Variant = "debug", Slot = "B" }));
    }

    [Test]
    public async Task Disks_are_asked_by_SMART_and_a_tool_that_is_missing_or_hangs_is_no_fault()
    {
        List<string> asked = [];
        var smart = new SmartReading((file, args, _) =>
        {
            asked.Add($"{file} {args[^1]}");
            return args[^1] switch
            {
                "/dev/nvme0n1" => Task.FromResult(Nvme),
                "/dev/sda" => Task.FromResult(Sata),
                "/dev/sdb" => Task.FromResult("smartctl 7.4: usage"),
                "/dev/sdc" => Task.FromResult(""),
                _ => Task.FromException<string>(new ProcessFailedException(file, "took longer than 30 s and was killed")),
            };
        });
        foreach (var name in new[] { "nvme0n1", "sda", "sdb", "sdc", "sdd" })
        {
            Write($"sys/block/{name}/size", "8\n");
        }

        Emmc("mmcblk0", "0x01 0x01", "0x01");
        var reading = new BoardReading(new BoardFiles(root.Path));
        Assert.That(reading.Storage, Is.Null);
        var read = (await reading.ReadStorageAsync(smart, default)).ToDictionary(device => device.Name);
        Assert.Multiple(() =>
        {
            Assert.That(asked, Is.EqualTo(new[] { "smartctl /dev/nvme0n1", "smartctl /dev/sda", "smartctl /dev/sdb", "smartctl /dev/sdc", "smartctl /dev/sdd" }));
            Assert.That((read["nvme0n1"].LifeUsedPercent, read["nvme0n1"].IsHealthy, read["nvme0n1"].Model), Is.EqualTo((83, true, "WD Blue SN570 1TB")));
            Assert.That((read["sda"].LifeUsedPercent, read["sda"].IsHealthy), Is.EqualTo((3, false)));
            Assert.That(read["sdb"], Is.EqualTo(new StorageDevice { Name = "sdb", Kind = StorageKind.Scsi, SizeBytes = 4096 }));
            Assert.That(read["sdc"].IsHealthy, Is.Null);
            Assert.That(read["sdd"].IsHealthy, Is.Null);
            Assert.That(reading.Storage, Is.EqualTo(read.Values));
        });

        var record = new TelemetryRecord();
        reading.Sample(new SampleSink(record));
        Assert.That(
            record.Samples.Select(sample => (sample.Metric, sample.Attributes["hw.id"], sample.Value)),
            Is.EquivalentTo(new[]
            {
                ("hw.physical_disk.endurance_utilization", "mmcblk0", 0.9),
                ("hw.physical_disk.endurance_utilization", "nvme0n1", 0.17),
                ("hw.physical_disk.endurance_utilization", "sda", 0.97),
            }));
    }

    private static IEnumerable<TestCaseData> Devices()
    {
        var good = new StorageDevice { Name = "a", LifeUsedPercent = 79, Spare = "warning", IsHealthy = true };
        var silent = new StorageDevice { Name = "b" };
        yield return new TestCaseData(new[] { good, silent }, ConditionStatus.False, StorageWornReasons.NotWorn);
        yield return new TestCaseData(new[] { silent }, ConditionStatus.Unknown, StorageWornReasons.NotKnown);
        yield return new TestCaseData(Array.Empty<StorageDevice>(), ConditionStatus.Unknown, StorageWornReasons.NotKnown);
        yield return new TestCaseData(new[] { good, good with { LifeUsedPercent = 80 } }, ConditionStatus.True, StorageWornReasons.LifeUsed);
        yield return new TestCaseData(new[] { good with { Spare = "urgent" } }, ConditionStatus.True, StorageWornReasons.SpareUsed);
        yield return new TestCaseData(new[] { good with { IsHealthy = false } }, ConditionStatus.True, StorageWornReasons.SelfTestFailed);
    }

    [TestCaseSource(nameof(Devices))]
    public void A_device_is_worn_in_time(StorageDevice[] devices, ConditionStatus status, string reason)
    {
        var (judged, why, message) = StorageWear.Judge(devices);
        Assert.That((judged, why), Is.EqualTo((status, reason)));
        Assert.That(message, status == ConditionStatus.True ? Does.Contain("replace it") : Is.Null.Or.Contain("No storage device"));
    }

    private void Emmc(string name, string life, string spare)
    {
        Write($"sys/block/{name}/size", "61071360\n");
        Write($"sys/block/{name}/device/type", "MMC\n");
        Write($"sys/block/{name}/device/name", "BJTD4R\n");
        Write($"sys/block/{name}/device/manfid", "0x000015\n");
        Write($"sys/block/{name}/device/serial", "0x12345678\n");
        Write($"sys/block/{name}/device/fwrev", "0x0600000000000000\n");
        Write($"sys/block/{name}/device/life_time", life);
        Write($"sys/block/{name}/device/pre_eol_info", spare);
    }

    private void Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    private void Write(string name, byte[] bytes)
    {
        var path = root.Combine(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
    }
}
