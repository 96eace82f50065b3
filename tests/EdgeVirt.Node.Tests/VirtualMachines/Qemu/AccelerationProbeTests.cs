using System.Text.Json;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Qemu;

/// <summary>The tiny guests, run by a real QEMU as an unprivileged user.</summary>
[Category("root")]
public sealed class AccelerationProbeTests
{
    private TempDirectory directory = null!;
    private NodeOptions options = null!;
    private AccelerationProbe probe = null!;

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        File.SetUnixFileMode(directory.Path, File.GetUnixFileMode(directory.Path) | UnixFileMode.OtherExecute | UnixFileMode.GroupExecute);
        options = new NodeOptions { RunDir = directory.Path };
        probe = new AccelerationProbe(options);
    }

    [TearDown]
    public void TearDown()
    {
        probe.Dispose();
        directory.Dispose();
    }

    [Test]
    public async Task An_emulated_processor_counts_to_the_end_in_time() =>
        Assert.That(await probe.RunAsync("tcg", "qemu64", ProbeGuest.RomX64(), default), Is.Null);

    [Test]
    public async Task Says_why_QEMU_does_not_start() =>
        Assert.That(
            await probe.RunAsync("tcg", "no-such-processor", ProbeGuest.RomX64(), default),
            Does.StartWith("QEMU ended with exit code 1 (").And.Contains("no-such-processor"));

    [Test]
    public async Task A_guest_that_does_not_end_is_ended()
    {
        var began = TimeProvider.System.GetTimestamp();
        Assert.That(await probe.RunAsync("tcg", "qemu64", ProbeGuest.RomX64(int.MaxValue), default), Is.EqualTo("the test guest did not finish 100,000,000 steps within 5 s"));
        Assert.That(TimeProvider.System.GetElapsedTime(began), Is.LessThan(TimeSpan.FromSeconds(8)));
    }

    [Test]
    public async Task KVM_runs_a_short_guest_where_there_is_one()
    {
        SkipWithoutKvm();
        Assert.That(await probe.RunAsync("kvm", "qemu64", ProbeGuest.RomX64(steps: 1000), default), Is.Null);
    }

    [Test]
    public async Task A_directory_that_QEMU_cannot_pass_is_not_held_against_KVM()
    {
        SkipWithoutKvm();
        File.SetUnixFileMode(directory.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var fault = (await Assert.ThrowsAsync<VmStartException>(() => probe.FindAsync(default)))!;
        Assert.That(fault.Message, Does.Contain($"chmod o+x {directory.Path})"));
        Assert.That(File.Exists(directory.Combine("acceleration.json")), Is.False);
    }

    [Test]
    public async Task Finds_out_what_the_KVM_here_is_and_keeps_it_for_the_boot()
    {
        SkipWithoutKvm();
        var found = await probe.FindAsync(default);
        await TestContext.Out.WriteLineAsync($"{found.Reason}: {found.Message}");
        Assert.That(found.Reason, Is.EqualTo(found.IsKvm ? AcceleratedReasons.Accelerated : AcceleratedReasons.KvmUnproven));
        Assert.That(found.Best.Kvm, Is.EqualTo(found.IsKvm));

        // What nobody would find, so that whoever says it has read it.
        var kept = directory.Combine("acceleration.json");
        var read = found with { Message = "as it was kept" };
        Keep(SystemFacts.BootId!, read);
        using var next = new AccelerationProbe(options);
        Assert.That(await next.FindAsync(default), Is.EqualTo(read), "read, not asked again");

        Keep("another", read);
        using var afterReboot = new AccelerationProbe(options);
        Assert.That(await afterReboot.FindAsync(default), Is.EqualTo(found));
        Assert.That(File.ReadAllText(kept), Does.Contain(SystemFacts.BootId!), "asked again");

        void Keep(string bootId, AccelerationResult result) =>
            File.WriteAllBytes(kept, JsonSerializer.SerializeToUtf8Bytes(new KeptAcceleration(bootId, result), AccelerationJson.Default.KeptAcceleration));
    }

    [Test]
    public void The_guests_are_what_their_listings_say()
    {
        var rom = ProbeGuest.RomX64();
        Assert.That(rom, Has.Length.EqualTo(65536));
        Assert.That(rom.AsSpan(0x68, 5).ToArray(), Is.EqualTo((byte[])[0xB9, 0x00, 0xE1, 0xF5, 0x05]), "mov ecx, 100000000");
        Assert.That(rom.AsSpan(0xFFF0, 5).ToArray(), Is.EqualTo((byte[])[0xEA, 0, 0, 0, 0xF0]), "jmp 0xF000:0");
        Assert.That(ProbeGuest.KernelArm64(), Has.Length.EqualTo(36));
        Assert.That(ProbeGuest.KernelArm64().Take(4), Is.EqualTo((byte[])[0xA0, 0xBE, 0xA0, 0xD2]));
    }

    [Test]
    public void The_arm64_guest_ends_in_time()
    {
        if (!File.Exists("/usr/bin/qemu-system-aarch64"))
        {
            Assert.Ignore("qemu-system-arm is not installed");
        }

        File.WriteAllBytes(directory.Combine("kernel"), ProbeGuest.KernelArm64());
        Command.Run("timeout", "20", "qemu-system-aarch64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-accel", "tcg", "-cpu", "max", "-m", "64", "-machine", "virt,gic-version=3", "-kernel", directory.Combine("kernel"));
    }

    private static void SkipWithoutKvm()
    {
        if (!KvmDevice.IsThere)
        {
            Assert.Ignore("there is no /dev/kvm");
        }
    }
}
