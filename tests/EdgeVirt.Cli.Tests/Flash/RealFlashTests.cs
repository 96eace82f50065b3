using System.Text.Json;
using EdgeVirt.Cli.Flash;
using EdgeVirt.Linux.Storage;
using EdgeVirt.Testing;

namespace EdgeVirt.Cli.Tests.Flash;

/// <summary>The command against files and block devices of the kernel, sound and bad ones, and beside bmaptool.</summary>
[Category("root")]
public sealed class RealFlashTests
{
    private const int Card = 32 << 20;
    private TempDirectory directory = null!;
    private SampleDisk disk = null!;
    private string image = null!;

    [SetUp]
    public void MakeImage()
    {
        directory = new TempDirectory();
        disk = SampleDisk.Usual();
        image = disk.Save(directory.Path);
    }

    [TearDown]
    public void Remove() => directory.Dispose();

    [Test]
    public async Task A_loop_device_and_a_file_get_the_image_at_once()
    {
        var backing = OldCard("card");
        using var loop = LoopDevice.Attach(backing);
        var (outcome, report) = await FlashAsync(image, loop.Path, directory.Combine("new.img"));
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        Assert.That(report.GetProperty("origin").GetString(), Is.EqualTo("notProven"));
        foreach (var target in report.GetProperty("targets").EnumerateArray())
        {
            Assert.That(target.GetProperty("outcome").GetString(), Is.EqualTo("verified"));
            Assert.That(target.GetProperty("bytesWritten").GetInt64(), Is.GreaterThan(5 << 20).And.LessThan(6 << 20));
            Assert.That(target.GetProperty("seconds").GetDouble(), Is.GreaterThan(0));
        }

        disk.AssertOn(File.ReadAllBytes(backing));
        Assert.That(File.ReadAllBytes(directory.Combine("new.img")), Is.EqualTo(disk.Bytes));
    }

    [Test]
    public async Task A_file_that_holds_something_is_left_alone_unless_forced()
    {
        var file = OldCard("data");
        var (outcome, _) = await FlashAsync(image, file);
        Assert.That((outcome.Code, outcome.Error), Is.EqualTo((ExitCodes.TargetRefused, outcome.Error)));
        Assert.That(outcome.Error, Does.Contain("holds something").And.Contain("--force"));
        Assert.That(File.ReadAllBytes(file).AsSpan().IndexOfAnyExcept(MemoryTarget.Old), Is.Negative);
        (outcome, _) = await FlashAsync(image, file, "--force");
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        Assert.That(new FileInfo(file).Length, Is.EqualTo(Card));
        disk.AssertOn(File.ReadAllBytes(file));
    }

    [Test]
    public async Task A_file_that_is_one_hole_is_a_new_card_of_its_size()
    {
        var file = directory.Combine("hole");
        using (var made = File.Create(file))
        {
            made.SetLength(Card);
        }

        var (outcome, _) = await FlashAsync(image, file);
        Assert.That((outcome.Code, new FileInfo(file).Length), Is.EqualTo((0, (long)Card)), outcome.Error);
        disk.AssertOn(File.ReadAllBytes(file));
    }

    [Test]
    public async Task A_mounted_device_is_refused()
    {
        var backing = OldCard("mounted");
        Command.Run("mkfs.ext4", "-q", "-F", backing);
        var mount = directory.Subdirectory("mnt");
        Command.Run("mount", "-o", "loop", backing, mount);
        try
        {
            var device = Command.Run("findmnt", "-no", "SOURCE", mount).Trim();
            var (outcome, _) = await FlashAsync(image, device);
            Assert.That(outcome.Code, Is.EqualTo(ExitCodes.TargetRefused));
            Assert.That(outcome.Error, Does.Contain($"'{device}' is in use ({mount})"));
        }
        finally
        {
            Command.Run("umount", mount);
        }
    }

    [Test]
    public async Task An_error_at_40_percent_is_named_with_its_offset_and_the_card_does_not_boot()
    {
        await using var bad = await BadDisk.StartAsync(directory, Card, beforeWrite: $"if [ $4 -ge {6 << 20} ] && [ $4 -lt {15 << 20} ]; then echo EIO >&2; exit 1; fi;");
        var (outcome, report) = await FlashAsync(image, bad.Path, directory.Combine("good.img"));
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.TargetFailed), outcome.Error);
        Assert.That(outcome.Error, Does.Match($"{bad.Path} refused what was written at \\d+: write .* at ([4-9]\\d{{6}}).*\\(errno 5\\)").And.Contain("Try another reader"));
        Assert.That(Outcomes(report), Is.EqualTo(new[] { "writeFailed", "verified" }));
        AssertBlank(bad.Medium);
    }

    [Test]
    public async Task A_card_that_lies_about_its_size_is_named([Values] bool wraps)
    {
        // What is behind 12 MiB begins anew, or is lost.
        const int Has = 12 << 20;
        await using var bad = await BadDisk.StartAsync(directory, Card, wraps ? $"$4 % {Has}" : "$4", wraps ? "" : $"if [ $4 -ge {Has} ]; then cat >/dev/null; exit 0; fi;");
        var (outcome, report) = await FlashAsync(image, bad.Path);
        Assert.That((outcome.Code, Outcomes(report).Single()), Is.EqualTo((ExitCodes.VerifyFailed, "liesAboutSize")), outcome.Error);
        Assert.That(outcome.Error, Does.Contain($"{bad.Path} says that it has {Card} bytes, but has fewer"));
        AssertBlank(bad.Medium);
    }

    [Test]
    public async Task A_bit_that_is_another_when_it_is_read_back_is_named()
    {
        const int At = (3000 * 4096) + 100;
        await using var bad = await BadDisk.StartAsync(
            directory, Card, afterRead: $"if [ $4 -le {At} ] && [ $(($4 + $3)) -gt {At} ]; then printf x | dd of=$data bs=1 conv=notrunc seek=$(({At} - $4)) 2>/dev/null; fi;");
        var (outcome, report) = await FlashAsync(image, bad.Path);
        Assert.That((outcome.Code, Outcomes(report).Single()), Is.EqualTo((ExitCodes.VerifyFailed, "verifyFailed")), outcome.Error);
        Assert.That(outcome.Error, Does.Contain($"{bad.Path}: what was read back from {3000 * 4096} to {(3001 * 4096) - 1} is not what was written"));
        AssertBlank(bad.Medium);
    }

    [Test]
    public async Task A_card_that_is_pulled_out_is_named()
    {
        // The kernel's list of disks is the test's own here, and the card goes from it with the first error.
        var sys = directory.Combine("sys/block");
        await using var bad = await BadDisk.StartAsync(directory, Card, beforeWrite: $"if [ $4 -ge {6 << 20} ] && [ $4 -lt {15 << 20} ]; then rm -rf {sys}; echo EIO >&2; exit 1; fi;");
        var block = Directory.CreateDirectory(Path.Combine(sys, Path.GetFileName(bad.Path))).FullName;
        File.WriteAllText(Path.Combine(block, "size"), $"{Card / 512}\n");
        using var cli = new CliRun { Disks = new LinuxBlockTargets(directory.Combine("sys")) };
        var outcome = await cli.RunAsync("flash", image, "--to", bad.Path);
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.TargetFailed));
        Assert.That(outcome.Error, Does.Match($"{bad.Path} was unplugged at \\d+").And.Contain("Plug it in"));
        AssertBlank(bad.Medium);
    }

    [Test]
    public async Task Interrupted_it_ends_with_130_and_the_card_does_not_boot()
    {
        using var interrupt = new CancellationTokenSource();
        await using var slow = await BadDisk.StartAsync(directory, Card, beforeWrite: $"if [ $4 -ge {6 << 20} ]; then touch {directory.Combine("there")}; sleep 0.2; fi;");
        using var cli = new CliRun();
        var running = cli.RunAsync(interrupt.Token, "flash", image, "--to", slow.Path, "-o", "json");
        for (var i = 0; i < 500 && !File.Exists(directory.Combine("there")) && !running.IsCompleted; i++)
        {
            await Task.Delay(20, CancellationToken.None);
        }

        await interrupt.CancelAsync();
        var outcome = await running;
        Assert.That((outcome.Code, Outcomes(JsonDocument.Parse(outcome.Out).RootElement).Single()), Is.EqualTo((ExitCodes.Interrupted, "interrupted")), outcome.Error);
        AssertBlank(slow.Medium);
    }

    [Test]
    public async Task Takes_a_map_of_bmaptool()
    {
        var raw = disk.Save(directory.Path, compressed: false, map: false);
        using (var file = File.OpenHandle(raw, FileMode.Open, FileAccess.Write))
        {
            FileHoles.Make(file, 2301 * 4096, 600 * 4096);
        }

        Command.Run("bmaptool", "create", "-o", raw + ".bmap", raw);
        Command.Run("zstd", "-q", "-f", raw);
        File.Delete(raw);
        var backing = OldCard("card");
        using var loop = LoopDevice.Attach(backing);
        var (outcome, report) = await FlashAsync(raw + ".zst", loop.Path);
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        Assert.That(report.GetProperty("mappedBytes").GetInt64(), Is.LessThan(disk.Bytes.Length));
        disk.AssertOn(File.ReadAllBytes(backing));
    }

    [Test]
    public async Task Bmaptool_takes_our_files_and_both_write_the_same()
    {
        Command.Run("bmaptool", "copy", "--bmap", Path.ChangeExtension(image, ".bmap"), image, directory.Combine("theirs"));
        var (outcome, _) = await FlashAsync(image, directory.Combine("ours"));
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        Assert.That(File.ReadAllBytes(directory.Combine("ours")).AsSpan().SequenceEqual(File.ReadAllBytes(directory.Combine("theirs"))), Is.True);
    }

    private string OldCard(string name)
    {
        var bytes = new byte[Card];
        Array.Fill(bytes, MemoryTarget.Old);
        File.WriteAllBytes(directory.Combine(name), bytes);
        return directory.Combine(name);
    }

    private static string[] Outcomes(JsonElement report) => [.. report.GetProperty("targets").EnumerateArray().Select(target => target.GetProperty("outcome").GetString()!)];

    private static void AssertBlank(string medium)
    {
        var head = new byte[1 << 20];
        using var file = File.OpenRead(medium);
        file.ReadExactly(head);
        Assert.That(head.AsSpan().IndexOfAnyExcept((byte)0), Is.Negative, "nothing on it boots");
    }

    private static async Task<(CliOutcome Outcome, JsonElement Report)> FlashAsync(string image, params string[] targets)
    {
        using var cli = new CliRun();
        var outcome = await cli.RunAsync(["flash", image, "-o", "json", "--to", .. targets]);
        return (outcome, outcome.Out.Length == 0 ? default : JsonDocument.Parse(outcome.Out).RootElement);
    }
}
