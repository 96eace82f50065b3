using System.Globalization;
using System.Text.Json;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Snapshots;

namespace EdgeVirt.Node.VirtualMachines.Disks;

/// <summary>
/// The disks of machines: each that is written to is an overlay (qcow2) over the one that it began from, or a raw file where it began
/// empty. What they are is written down beside them; a disk that a guest has written to is never asked. All of it while the machine is off.
/// </summary>
internal sealed class MachineDisks(BaseDisks bases, DiskInspection inspection)
{
    private const string RecordSuffix = ".json";
    private const UnixFileMode OwnerFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Passable =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    /// <summary>What is written down about a disk; null: there is none.</summary>
    /// <exception cref="DiskUnavailableException">It cannot be read: the disk itself may be sound, so nothing is made in its place.</exception>
    public static DiskRecord? Find(VmPaths paths, string name)
    {
        var path = paths.Disk(name) + RecordSuffix;
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllBytes(path), DisksJson.Default.DiskRecord) : null;
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            throw new DiskUnavailableException($"{path} cannot be read, so it is not known how disk {name} is written: {e.Message}", e);
        }
    }

    /// <summary>What the machines below a directory began from, for <see cref="BaseDisks.CollectGarbage"/>.</summary>
    /// <exception cref="DiskUnavailableException">One cannot be read.</exception>
    public static IEnumerable<string> BasesOf(VmPaths paths) => All(paths).Select(disk => disk.Base?.Sha256).OfType<string>();

    /// <summary>Makes a disk that is not there, or has one grow that is to be larger.</summary>
    /// <param name="spec">What is wanted. A disk keeps what it began from; another source later changes nothing.</param>
    /// <param name="source">What it begins from; null: nothing.</param>
    /// <param name="paths">Whose it is.</param>
    /// <param name="user">As whom its QEMU runs.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="DiskRefusedException">It is to be smaller than what it begins from, or larger than the node has room for.</exception>
    /// <exception cref="DiskUnavailableException">qemu-img or the disk failed.</exception>
    public async Task<QemuDisk> EnsureAsync(VirtualDiskSpec spec, BaseDisk? source, VmPaths paths, Unprivileged user, CancellationToken ct)
    {
        if (spec.ReadOnly && source is not null)
        {
            return new QemuDisk(spec.Name, bases.PathOf(source.Sha256), source.Format, ReadOnly: true);
        }

        var path = paths.Disk(spec.Name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!, Passable);
        var record = Find(paths, spec.Name);
        var chain = SnapshotStore.Read(paths).ChainOf(spec.Name);
        var top = chain?.Top ?? 0;
        if (record is not null && (chain is null ? [path] : SnapshotTree.Down(chain, top).Select(layer => paths.Layer(spec.Name, layer.Number))).FirstOrDefault(file => !File.Exists(file)) is { } lost)
        {
            throw new DiskUnavailableException($"a file of disk {spec.Name} is gone, and with it what the machine wrote; delete the machine, or put {lost} back");
        }

        record ??= await MakeAsync(spec, source, path, user, ct);
        if (spec.Size is { } size && (long)size.Value > record.VirtualBytes)
        {
            record = await GrowAsync(record, (long)size.Value, (paths.Layer(spec.Name, top), top == 0 ? record.Format : DiskFormat.Qcow2), (path, user), ct);
        }

        var policy = DiskPolicy.Of(spec);
        if ((record.Policy ?? DiskPolicy.Default) != policy)
        {
            record = record with { Policy = policy };
            Write(path, record);
        }

        var file = SnapshotTree.FileOf(paths, record, chain, top, BeganFrom(record));
        return new QemuDisk(spec.Name, file.Path, file.Format, spec.ReadOnly) { Node = file.Node, Backing = file.Backing, Policy = policy };
    }

    /// <summary>What a disk began from; null: nothing.</summary>
    public DiskFile? BeganFrom(DiskRecord disk) => disk.Base is { } began ? new DiskFile(bases.PathOf(began.Sha256), began.Format) : null;

    /// <summary>Bytes of the file of what a disk began from.</summary>
    public long LengthOf(BaseDisk began) => new FileInfo(bases.PathOf(began.Sha256)) is { Exists: true } file ? file.Length : 0;

    /// <summary>All disks of a machine that were ever written to.</summary>
    /// <exception cref="DiskUnavailableException">What is written down about one cannot be read.</exception>
    public static IReadOnlyList<DiskRecord> All(VmPaths paths)
    {
        var directory = Path.GetDirectoryName(paths.Disk("x"))!;
        return Directory.Exists(directory)
            ? [.. Directory.GetFiles(directory, "*" + RecordSuffix).Order(StringComparer.Ordinal).Select(file => Find(paths, Path.GetFileName(file)[..^RecordSuffix.Length])).OfType<DiskRecord>()]
            : [];
    }

    /// <summary>Objects to a disk that the node's partition could never hold.</summary>
    /// <exception cref="DiskRefusedException">It is too large.</exception>
    public void CheckFits(long bytes) => inspection.CheckFits(bytes);

    /// <summary>Objects to more bytes than there is room for.</summary>
    /// <exception cref="DiskUnavailableException">There is no room.</exception>
    public void CheckRoom(long bytes) => bases.CheckRoom(bytes);

    /// <summary>Writes down that a disk of a machine that runs has grown (<c>block_resize</c>).</summary>
    public static void Grown(VmPaths paths, DiskRecord record, long bytes) => Write(paths.Disk(record.Name), record with { VirtualBytes = bytes });

    private async Task<DiskRecord> MakeAsync(VirtualDiskSpec spec, BaseDisk? source, string path, Unprivileged user, CancellationToken ct)
    {
        var size = (long?)spec.Size?.Value;
        if (source is not null && size < source.VirtualBytes)
        {
            throw new DiskRefusedException(
                DiskRefusedReason.Shrinks,
                string.Create(CultureInfo.InvariantCulture, $"disk {spec.Name} is to have {size} bytes, what it begins from has {source.VirtualBytes}; leave size out, or make it at least that"));
        }

        var bytes = Rounded(size ?? source?.VirtualBytes ?? throw new DiskRefusedException(DiskRefusedReason.NotInImage, $"disk {spec.Name} is empty and has no size; give it one"));
        inspection.CheckFits(bytes);
        var record = new DiskRecord { Name = spec.Name, Format = source is null ? DiskFormat.Raw : DiskFormat.Qcow2, VirtualBytes = bytes, Base = source };
        // Without its record a file is the rest of an attempt.
        File.Delete(path);
        using (var file = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerFile }))
        {
            if (source is null)
            {
                file.SetLength(bytes);
            }
        }

        Ownership.Set(path, user.User, user.User);
        if (source is not null)
        {
            var length = bytes.ToString(CultureInfo.InvariantCulture);
            await RunAsync(user, ["create", "-q", "-f", "qcow2", "-F", DiskInspection.NameOf(source.Format), "-b", bases.PathOf(source.Sha256), path, length], ct);
        }

        DurableFile.Sync(path);
        Write(path, record);
        return record;
    }

    private async Task<DiskRecord> GrowAsync(DiskRecord record, long size, (string Path, DiskFormat Format) top, (string Path, Unprivileged User) disk, CancellationToken ct)
    {
        var bytes = Rounded(size);
        inspection.CheckFits(bytes);
        if (top.Format == DiskFormat.Raw)
        {
            await using var file = new FileStream(top.Path, FileMode.Open, FileAccess.Write);
            file.SetLength(bytes);
            file.Flush(flushToDisk: true);
        }
        else
        {
            // As the user that could write whatever it liked into the header: what that names, qemu-img opens as the same user.
            await RunAsync(disk.User, ["resize", "-q", "-f", "qcow2", top.Path, bytes.ToString(CultureInfo.InvariantCulture)], ct);
            DurableFile.Sync(top.Path);
        }

        var grown = record with { VirtualBytes = bytes };
        Write(disk.Path, grown);
        return grown;
    }

    private static async Task RunAsync(Unprivileged user, IReadOnlyList<string> args, CancellationToken ct)
    {
        var said = await DiskInspection.RunAsync(user, Timeout, args, ct);
        if (said.ExitCode != 0)
        {
            throw new DiskUnavailableException($"qemu-img {args[0]} failed: {said.Error.Trim()}");
        }
    }

    private static void Write(string path, DiskRecord record) =>
        DurableFile.Write(path + RecordSuffix, JsonSerializer.SerializeToUtf8Bytes(record, DisksJson.Default.DiskRecord), OwnerFile);

    /// <summary>A size in whole sectors.</summary>
    public static long Rounded(long bytes) => (bytes + DiskInspection.Sector - 1) / DiskInspection.Sector * DiskInspection.Sector;
}
