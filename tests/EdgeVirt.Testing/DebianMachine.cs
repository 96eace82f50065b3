using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace EdgeVirt.Testing;

/// <summary>
/// A plain Debian 13 (<c>images/debian</c>) on an emulated x86-64 machine of two processors and 1.5 GB, with a link on a
/// <see cref="TestNetwork"/>. What it writes to its disk lasts as long as this object. It ends with the test.
/// </summary>
public sealed class DebianMachine : IAsyncDisposable
{
    private const string ImageDirectory = "artifacts/images/debian";
    private static readonly TimeSpan BootTimeout = TimeSpan.FromMinutes(3);

    private readonly TempDirectory directory = new();
    private ChildProcess? process;
    private SerialShell? shell;

    private DebianMachine(IPAddress address) => Address = address;

    /// <summary>Why none can be had here; null: one can.</summary>
    public static string? Obstacle =>
        RuntimeInformation.ProcessArchitecture != Architecture.X64 ? "the emulated Debian machine is made for x86-64 only"
        : !File.Exists("/dev/net/tun") ? "there is no /dev/net/tun, which an emulated machine needs for its network"
        : null;

    /// <summary>Its address on the test's network.</summary>
    public IPAddress Address { get; }

    /// <summary>What its kernel and init wrote to the console.</summary>
    public string ConsoleFile => directory.Combine("console.log");

    /// <summary>Boots it and waits until commands can be run in it.</summary>
    /// <param name="network">The link and the address come from here.</param>
    /// <param name="fill">Puts files into a directory that is laid over the machine's root at its first boot; the agent's unit in it is enabled then.</param>
    public static async Task<DebianMachine> StartAsync(TestNetwork network, Action<string> fill)
    {
        const int Number = 99;
        var (link, address) = network.AddTap(Number);
        var machine = new DebianMachine(address);
        try
        {
            machine.MakeSeed(network, fill);
            machine.Launch(link);
            machine.shell = await machine.OpenAsync("shell", SerialShell.ConnectAsync);
            await machine.shell.WaitAsync(BootTimeout);
            return machine;
        }
        catch (Exception e)
        {
            var console = machine.process?.LogTail() + machine.ConsoleTail();
            await machine.DisposeAsync();
            throw new InvalidOperationException($"The emulated machine does not start: {e.Message}{console}", e);
        }
    }

    /// <summary>Runs a line of shell as root in it.</summary>
    /// <returns>Its output and errors, without spaces at the ends.</returns>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public async Task<string> RunAsync(string command)
    {
        var (exitCode, output) = await shell!.RunAsync(command, TimeSpan.FromMinutes(1));
        return exitCode == 0 ? output : throw new InvalidOperationException($"'{command}' failed in the machine ({exitCode}): {output}");
    }

    /// <summary>Runs a line of shell in it again and again until its output fits; a failure is output too.</summary>
    /// <exception cref="TimeoutException">It never does; the message holds the last output.</exception>
    public Task<string> WaitForAsync(string command, Predicate<string> fits, TimeSpan timeout) => HubApi.WaitForAsync(
        $"'{command}' in the machine", async () => (await shell!.RunAsync(command, TimeSpan.FromMinutes(1))).Output, fits, output => output, timeout);

    /// <summary>A power cut: the machine is reset at once, with what lies on its disk, and boots. Returns when commands can be run again.</summary>
    public async Task CutPowerAsync()
    {
        await using (var control = await OpenAsync("qmp", QemuControl.ConnectAsync))
        {
            await control.ExecuteAsync("system_reset");
        }

        shell!.Forget();
        await shell.WaitAsync(BootTimeout);
    }

    /// <summary>The end of the journal of a unit and of what was installed, for messages.</summary>
    public async Task<string> JournalAsync(string unit) =>
        (await shell!.RunAsync($"journalctl --no-pager -o short-precise -n 40 -u seed -u {unit}", TimeSpan.FromMinutes(1))).Output;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        shell?.Dispose();
        if (process is not null)
        {
            await process.DisposeAsync();
        }

        directory.Dispose();
    }

    private static string ImageFile(string name)
    {
        var path = RepositoryRoot.Combine(ImageDirectory, name);
        return File.Exists(path) ? path : throw new InvalidOperationException($"{path} is missing: run ./dev image debian first.");
    }

    private void MakeSeed(TestNetwork network, Action<string> fill)
    {
        var root = directory.Subdirectory("seed/root");
        var networkd = Directory.CreateDirectory(Path.Combine(root, "etc/systemd/network")).FullName;
        File.WriteAllText(
            Path.Combine(networkd, "10-uplink.network"),
            $"""
            [Match]
            MACAddress={HardwareAddress}

            [Network]
            Address={Address}/24
            Gateway={network.HostAddress}

            """);
        fill(root);
        Command.Run("mke2fs", "-q", "-t", "ext4", "-L", "seed", "-d", directory.Combine("seed"), directory.Combine("seed.ext4"), "512M");
    }

    private string HardwareAddress => string.Join(':', ((byte[])[0x52, 0x54, .. Address.GetAddressBytes()]).Select(part => part.ToString("x2", CultureInfo.InvariantCulture)));

    private void Launch(string link) => process = ChildProcess.Start(
        "qemu-system-x86_64",
        [
            "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1536",
            "-kernel", ImageFile("vmlinuz"), "-initrd", ImageFile("initrd"), "-append", "root=/dev/disk/by-label/root rw console=ttyS0 quiet",
            "-drive", $"file={ImageFile("root.ext4")},format=raw,if=virtio,snapshot=on",
            "-drive", $"file={directory.Combine("seed.ext4")},format=raw,if=virtio,readonly=on",
            "-netdev", $"tap,id=uplink,ifname={link},script=no,downscript=no", "-device", $"virtio-net-pci,netdev=uplink,romfile=,mac={HardwareAddress}",
            "-serial", $"file:{ConsoleFile}", "-device", "virtio-serial-pci",
            "-chardev", $"socket,id=shell,path={directory.Combine("shell")},server=on,wait=off", "-device", "virtserialport,chardev=shell,name=shell",
            "-qmp", $"unix:{directory.Combine("qmp")},server=on,wait=off",
        ],
        directory.Combine("qemu.log"));

    private async Task<T> OpenAsync<T>(string socket, Func<string, Task<T>> connect)
        where T : class
    {
        T? opened = null;
        await process!.WaitUntilAsync(
            "listening",
            async () =>
            {
                try
                {
                    opened = await connect(directory.Combine(socket));
                    return true;
                }
                catch (SocketException)
                {
                    return false;
                }
            },
            TimeSpan.FromSeconds(20));
        return opened!;
    }

    private string ConsoleTail() => File.Exists(ConsoleFile)
        ? $"{Environment.NewLine}--- end of the console{Environment.NewLine}{string.Join(Environment.NewLine, File.ReadLines(ConsoleFile).TakeLast(25))}"
        : "";
}
