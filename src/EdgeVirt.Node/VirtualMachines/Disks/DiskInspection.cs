using System.Globalization;
using System.Text.Json;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.VirtualMachines.Qemu;

namespace EdgeVirt.Node.VirtualMachines.Disks;

/// <summary>What a disk is.</summary>
/// <param name="Format">How it is written.</param>
/// <param name="VirtualBytes">Its size as the guest sees it.</param>
internal sealed record InspectedDisk(DiskFormat Format, long VirtualBytes);

/// <summary>
/// Looks at disks with qemu-img, which reads what comes from outside: as an unprivileged user, with limits on what it may take, and
/// with the format given.
/// </summary>
/// <param name="space">How much the data partition has.</param>
internal sealed class DiskInspection(Func<DiskSpace> space)
{
    /// <summary>A disk is a whole number of these.</summary>
    public const int Sector = 512;

    private const long MostMemory = 1L << 30;
    private const int CorruptionsFound = 2;
    private const int CannotCheck = 63;
    private static readonly TimeSpan InfoTimeout = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan CheckTimeout = TimeSpan.FromMinutes(5);

    /// <summary>Looks at a file that came from outside and that no guest has written to.</summary>
    /// <param name="path">Readable for everybody, or for the user of <see cref="Unprivileged.Inspector"/>.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="DiskRefusedException">It is not to be used.</exception>
    /// <exception cref="DiskUnavailableException">It cannot be looked at.</exception>
    public async Task<InspectedDisk> InspectAsync(string path, CancellationToken ct)
    {
        var start = new byte[Qcow2Header.Length];
        int read;
        long length;
        await using (var file = File.OpenRead(path))
        {
            length = file.Length;
            read = await file.ReadAtLeastAsync(start, start.Length, throwOnEndOfStream: false, ct);
        }

        var format = Qcow2Header.FormatOf(start.AsSpan(0, read));
        if (format == DiskFormat.Raw)
        {
            return length is 0 || length % Sector != 0
                ? throw new DiskRefusedException(
                    DiskRefusedReason.Corrupt, string.Create(CultureInfo.InvariantCulture, $"a raw disk of {length} bytes is none: it has to be a whole number of sectors of {Sector} bytes"))
                : new InspectedDisk(format, Fitting(length));
        }

        var disk = new InspectedDisk(format, Fitting(await SizeAsync(path, format, Unprivileged.Inspector, ct)));
        await CheckAsync(path, ct);
        return disk;
    }

    /// <summary>The size of a disk as its guest sees it. Opens neither what it names as backing nor as data.</summary>
    /// <param name="path">The file.</param>
    /// <param name="format">Its format, which is not looked for in it.</param>
    /// <param name="user">As whom to look.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="DiskRefusedException">It is damaged.</exception>
    /// <exception cref="DiskUnavailableException">It cannot be looked at.</exception>
    public static async Task<long> SizeAsync(string path, DiskFormat format, Unprivileged user, CancellationToken ct)
    {
        var said = await RunAsync(user, InfoTimeout, ["info", "--output=json", "-f", NameOf(format), path], ct);
        if (said.ExitCode != 0)
        {
            throw Damaged(said);
        }

        try
        {
            using var document = JsonDocument.Parse(said.Output);
            var root = document.RootElement;
            if (root.TryGetProperty("encrypted", out var encrypted) && encrypted.ValueKind == JsonValueKind.True)
            {
                throw new DiskRefusedException(DiskRefusedReason.Unsupported, "the disk is encrypted; give one that is not");
            }

            if (root.TryGetProperty("format-specific", out var specific) && specific.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Object)
            {
                if (data.TryGetProperty("corrupt", out var corrupt) && corrupt.ValueKind == JsonValueKind.True)
                {
                    throw new DiskRefusedException(DiskRefusedReason.Corrupt, "the qcow2 file is marked corrupt; repair it, e.g. by qemu-img check -r all");
                }

                if (data.TryGetProperty("data-file", out _))
                {
                    throw new DiskRefusedException(DiskRefusedReason.NamesAnotherFile, "the qcow2 file keeps its data in another file, which is not in it");
                }
            }

            return root.GetProperty("virtual-size").GetInt64();
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or FormatException or InvalidOperationException)
        {
            throw new DiskUnavailableException($"qemu-img says something else about the disk than expected: {e.Message}", e);
        }
    }

    /// <summary>Objects to a disk that the node's partition could never hold.</summary>
    /// <exception cref="DiskRefusedException">It is too large.</exception>
    public void CheckFits(long bytes) => Fitting(bytes);

    /// <summary>Runs qemu-img with limits.</summary>
    /// <exception cref="DiskUnavailableException">It did not start or took too long.</exception>
    internal static async Task<ProcessResult> RunAsync(Unprivileged user, TimeSpan timeout, IReadOnlyList<string> args, CancellationToken ct)
    {
        var limits = string.Create(CultureInfo.InvariantCulture, $"--as={MostMemory}");
        try
        {
            return await ProcessRunner.RunAsync(
                QemuPrograms.SetPriv, user.SetPriv(QemuPrograms.PrLimit, [limits, "--core=0", "--nofile=64", "--", QemuPrograms.QemuImg, .. args]), timeout, ct: ct, check: false);
        }
        catch (ProcessFailedException e)
        {
            throw new DiskUnavailableException($"the disk cannot be looked at: {e.Message}", e);
        }
    }

    internal static string NameOf(DiskFormat format) => format == DiskFormat.Qcow2 ? "qcow2" : "raw";

    private static async Task CheckAsync(string path, CancellationToken ct)
    {
        var said = await RunAsync(Unprivileged.Inspector, CheckTimeout, ["check", "-q", "-f", "qcow2", path], ct);
        // 3: clusters that are taken and not used, which harm nobody.
        if (said.ExitCode is not (0 or 3 or CannotCheck))
        {
            throw said.ExitCode == CorruptionsFound
                ? new DiskRefusedException(DiskRefusedReason.Corrupt, "the qcow2 file is corrupt; repair it, e.g. by qemu-img check -r all, or fetch it again")
                : Damaged(said);
        }
    }

    private static DiskRefusedException Damaged(ProcessResult said)
    {
        var why = said.Error.Trim().Split('\n')[^1];
        return new DiskRefusedException(
            DiskRefusedReason.Corrupt, string.Create(CultureInfo.InvariantCulture, $"qemu-img cannot read the disk: {(why.Length > 0 ? why : $"it ended with exit code {said.ExitCode}")}"));
    }

    private long Fitting(long bytes)
    {
        var total = space().TotalBytes;
        return bytes is > 0 && bytes <= total
            ? bytes
            : throw new DiskRefusedException(
                bytes <= 0 ? DiskRefusedReason.Corrupt : DiskRefusedReason.TooLarge,
                string.Create(CultureInfo.InvariantCulture, $"the disk has {bytes} bytes for its guest, the node's data partition {total}; give a smaller disk, or the node a larger partition"));
    }
}
