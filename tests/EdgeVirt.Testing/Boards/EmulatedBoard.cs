using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace EdgeVirt.Testing.Boards;

/// <summary>
/// A board that QEMU emulates in software, with an image of the node OS as its disk: UEFI, two processors, 3 GB, EL2 on arm64 and SVM on x86-64, a watchdog, a link on a
/// <see cref="TestNetwork"/>. Everything that its console shows is kept. It ends with the test.
/// </summary>
public sealed class EmulatedBoard : IAsyncDisposable
{
    private readonly TempDirectory directory = new();
    private readonly string link;
    private readonly string architecture;
    private readonly string? slot;
    private ChildProcess? process;
    private ChildProcess? medium;

    private EmulatedBoard(string architecture, string? slot, string disk, string link, IPAddress address) =>
        (this.architecture, this.slot, Disk, this.link, Address) = (architecture, slot, disk, link, address);

    /// <summary>Why none can be had here; null: one can.</summary>
    public static string? Obstacle => File.Exists("/dev/net/tun") ? null : "there is no /dev/net/tun, which an emulated board needs for its network";

    /// <summary>Its disk: a file as large as a card, flashed by whoever made it.</summary>
    public string Disk { get; }

    /// <summary>
    /// Whether a power cut takes from its disk all that it had written since it last had the disk flush its cache, as from a card or SSD that loses its cache whole. Otherwise all
    /// that it had written stays. Counts from the next <see cref="PowerOn"/> on.
    /// </summary>
    public bool LosesCache { get; set; }

    /// <summary>The address that its settings should give it on the test's network.</summary>
    public IPAddress Address { get; }

    /// <summary>Everything that its console showed, from the first boot on.</summary>
    public string Console => File.Exists(ConsoleFile) ? File.ReadAllText(ConsoleFile).Replace("\0", "", StringComparison.Ordinal) : "";

    /// <summary>Where that is kept.</summary>
    public string ConsoleFile => Path.Combine(Artifacts, $"{Path.GetFileNameWithoutExtension(Disk)}-{Environment.ProcessId}.console.log");

    private static string Artifacts => Directory.CreateDirectory(RepositoryRoot.Combine("artifacts/test/boards")).FullName;

    /// <summary>A board that is off.</summary>
    /// <param name="architecture"><c>arm64</c> or <c>amd64</c>.</param>
    /// <param name="disk">The card.</param>
    /// <param name="network">The link and the address come from here.</param>
    /// <param name="number">Of the link, 1 to 99.</param>
    public static EmulatedBoard Create(string architecture, string disk, TestNetwork network, int number)
    {
        var (link, address) = network.AddTap(number);
        var board = new EmulatedBoard(architecture, null, disk, link, address);
        File.Delete(board.ConsoleFile);
        File.Copy(board.Firmware.Variables, board.directory.Combine("vars.fd"));
        return board;
    }

    /// <summary>A Raspberry Pi 4 that is off, as far as QEMU has one: without firmware, the kernel of the slot is started. Its console shows the kernel's messages alone.</summary>
    /// <param name="slot">The directory with the files of a slot.</param>
    /// <param name="disk">The card.</param>
    /// <param name="network">The link and the address come from here.</param>
    /// <param name="number">Of the link, 1 to 99.</param>
    public static EmulatedBoard CreateRaspberryPi4(string slot, string disk, TestNetwork network, int number)
    {
        var (link, address) = network.AddTap(number);
        var board = new EmulatedBoard("arm64", slot, disk, link, address);
        File.Delete(board.ConsoleFile);
        return board;
    }

    /// <summary>Switches it on.</summary>
    public void PowerOn()
    {
        if (LosesCache)
        {
            // Writes lie in a file that ends with the program until a flush; then they go to the disk.
            medium = ChildProcess.Start(
                "nbdkit", ["--foreground", "--unix", Medium, "--filter=cache", "file", Disk, "cache=writeback"], directory.Combine("nbdkit.log"));
        }

        var mac = string.Join(':', ((byte[])[0x52, 0x54, .. Address.GetAddressBytes()]).Select(part => part.ToString("x2", CultureInfo.InvariantCulture)));
        string[] console = ["-chardev", $"file,id=console,path={ConsoleFile},append=on", "-serial", "chardev:console", "-qmp", $"unix:{directory.Combine("qmp")},server=on,wait=off"];
        process = slot is not null
            ? ChildProcess.Start(RaspberryPi4.Program, [.. RaspberryPi4.Arguments(slot, Disk, link, mac), .. console], directory.Combine("qemu.log"))
            : ChildProcess.Start(
            architecture == "arm64" ? "qemu-system-aarch64" : "qemu-system-x86_64",
            [
                "-nodefaults", "-no-user-config", "-display", "none", .. Machine, "-accel", "tcg,thread=multi", "-smp", "2", "-m", "3072",
                "-drive", $"if=pflash,format=raw,unit=0,readonly=on,file={FirmwareFile}", "-drive", $"if=pflash,format=raw,unit=1,file={directory.Combine("vars.fd")}",
                "-drive", $"{DiskFile},format=raw,if=none,id=card,cache=writeback", "-device", "virtio-blk-pci,drive=card,bootindex=0,serial=emulated-card",
                "-netdev", $"tap,id=uplink,ifname={link},script=no,downscript=no", "-device", $"virtio-net-pci,netdev=uplink,romfile=,mac={mac}",
                "-device", "virtio-rng-pci", "-device", "i6300esb", "-action", "watchdog=reset", "-rtc", "base=2000-01-01T00:00:00",
                .. console,
            ],
            directory.Combine("qemu.log"));
    }

    /// <summary>Cuts its power at once. What it had written to its disk stays, unless it <see cref="LosesCache"/>.</summary>
    public async Task CutPowerAsync()
    {
        if (process is not null)
        {
            await process.DisposeAsync();
            process = null;
        }

        if (medium is not null)
        {
            await medium.DisposeAsync();
            medium = null;
            File.Delete(Medium);
        }
    }

    /// <summary>How often it has had its disk flush its cache since it was switched on: how far its disk has come.</summary>
    public async Task<long> FlushesAsync()
    {
        QemuControl control;
        try
        {
            control = await QemuControl.ConnectAsync(directory.Combine("qmp"));
        }
        catch (SocketException)
        {
            return 0;
        }

        await using (control)
        {
            var devices = await control.ExecuteAsync("query-blockstats");
            return devices!.AsArray().First(device => (string?)device!["device"] == "card")!["stats"]!["flush_operations"]!.GetValue<long>();
        }
    }

    /// <summary>Waits until its console shows something that it did not show up to a place.</summary>
    /// <param name="text">What.</param>
    /// <param name="from">Length of <see cref="Console"/> from which on it counts.</param>
    /// <param name="timeout">How long.</param>
    /// <exception cref="TimeoutException">It does not; the message has the end of the console.</exception>
    public Task WaitForConsoleAsync(string text, int from, TimeSpan timeout) => HubApi.WaitForAsync(
        $"'{text}' on the console", () => Task.FromResult(Console[Math.Min(from, Console.Length)..]), shown => shown.Contains(text, StringComparison.Ordinal), Tail, timeout);

    /// <summary>The end of its console and what QEMU said, for messages.</summary>
    public string Describe() => $"{Environment.NewLine}{Tail(Console)}{Environment.NewLine}{process?.LogTail()}{Environment.NewLine}The whole console: {ConsoleFile}";

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await CutPowerAsync();
        directory.Dispose();
    }

    private string Medium => directory.Combine("card.sock");

    private string DiskFile => LosesCache ? $"file.driver=nbd,file.server.type=unix,file.server.path={Medium},file.open-timeout=10" : $"file={Disk}";

    private string[] Machine => architecture == "arm64"
        ? ["-machine", "virt,virtualization=on,gic-version=3", "-cpu", "max,pauth-impdef=on"]
        : ["-machine", "q35", "-cpu", "max"];

    private (string Code, string Variables) Firmware => architecture == "arm64"
        ? ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd")
        : ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd");

    private string FirmwareFile => Firmware.Code;

    private static string Tail(string text) => string.Join('\n', text.Split('\n').TakeLast(40));
}
