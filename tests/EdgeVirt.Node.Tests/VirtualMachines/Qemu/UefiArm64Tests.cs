using System.Net.Sockets;
using System.Text;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Qmp;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Qemu;

/// <summary>The arguments of an arm64 machine with UEFI, taken by a real QEMU that emulates one on whatever this is.</summary>
[Category("root")]
public sealed class UefiArm64Tests
{
    private const string Program = "/usr/bin/qemu-system-aarch64";
    private const string Code = "/usr/share/AAVMF/AAVMF_CODE.fd";
    private const string Vendor = "5f0c8a4e-1d2b-4c3d-9e4f-0a1b2c3d4e5f";

    [Test]
    public async Task Boots_to_the_shell_and_keeps_variables()
    {
        if (!File.Exists(Program) || !File.Exists(Code))
        {
            Assert.Ignore("qemu-system-arm or qemu-efi-aarch64 is not installed");
        }

        using var directory = new TempDirectory();
        var paths = new VmPaths(directory.Subdirectory("data"), directory.Subdirectory("run"));
        Directory.CreateDirectory(paths.ConsoleDirectory);
        File.Copy("/usr/share/AAVMF/AAVMF_VARS.fd", paths.Variables);
        await BootAsync(paths, async shell =>
        {
            await shell.RunAsync($"setvar Kept -guid {Vendor} -bs -rt -nv =C0FFEE");
            await shell.RunAsync($"setvar Passing -guid {Vendor} -bs =C0FFEE");
            Assert.That(await shell.RunAsync($"setvar Passing -guid {Vendor}"), Does.Contain("C0 FF EE"));
        });
        File.Delete(paths.ConsoleLog);
        await BootAsync(paths, async shell =>
        {
            Assert.That(await shell.RunAsync($"setvar Kept -guid {Vendor}"), Does.Contain("C0 FF EE"));
            Assert.That(await shell.RunAsync($"setvar Passing -guid {Vendor}"), Does.Contain("Unable to get"));
        });
    }

    private static async Task BootAsync(VmPaths paths, Func<UefiShell, Task> use)
    {
        var guest = Guests.Of(VirtualMachineModel.Virt, boot: new QemuBoot.Uefi(Code, paths.Variables));
        // What the boot before left there is nobody's.
        File.Delete(paths.Qmp);
        File.Delete(paths.Serial);
        await using var process = ChildProcess.Start(Program, [.. QemuCommandLine.For(guest, paths)], paths.QemuLog);
        QmpClient? connected = null;
        await process.WaitUntilAsync("listening", async () => File.Exists(paths.Serial) && (connected = await TryConnectAsync(paths)) is not null, TimeSpan.FromSeconds(20));
        await using var monitor = connected!;
        using var serial = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await serial.ConnectAsync(new UnixDomainSocketEndPoint(paths.Serial));
        // The guest waits for who is connected and does not read.
        var reading = DrainAsync(serial);
        await monitor.ExecuteAsync("cont");
        var shell = new UefiShell(
            () => File.Exists(paths.ConsoleLog) ? File.ReadAllText(paths.ConsoleLog) : "",
            async text => await serial.SendAsync(Encoding.ASCII.GetBytes(text)));
        await shell.ArriveAsync(boot: 1);
        await use(shell);
        await monitor.ExecuteAsync("quit");
        await reading;
    }

    // The socket is there a moment before QEMU listens at it.
    private static async Task<QmpClient?> TryConnectAsync(VmPaths paths)
    {
        try
        {
            return await QmpClient.ConnectAsync(paths.Qmp, QmpLimits.Default, TimeProvider.System, default);
        }
        catch (QmpException e) when (e.Fault == QmpFault.Closed)
        {
            return null;
        }
    }

    private static async Task DrainAsync(Socket serial)
    {
        var bytes = new byte[4096];
        while (await serial.ReceiveAsync(bytes) > 0)
        {
        }
    }
}
