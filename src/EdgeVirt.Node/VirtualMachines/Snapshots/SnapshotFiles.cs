using System.Globalization;
using System.Text.Json.Nodes;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Qemu;

namespace EdgeVirt.Node.VirtualMachines.Snapshots;

/// <summary>
/// Layers as files, by qemu-img. It runs as the machine's own user, since the guest's QEMU could write what it liked into them, and is
/// told what lies below what: what a header says does not count.
/// </summary>
internal static class SnapshotFiles
{
    // Address space, most of it of threads that compress and never touch it; with one GiB they could not begin.
    private const long MostMemory = 4L << 30;
    private const int MostFiles = 512;
    private const UnixFileMode OwnerFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private static readonly TimeSpan MakeTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan MergeTimeout = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan ExportTimeout = TimeSpan.FromHours(12);

    /// <summary>Makes an empty layer, durably. The rest of an earlier attempt goes.</summary>
    /// <param name="path">Its file.</param>
    /// <param name="below">What shows through it. Not opened: a guest may be writing to it.</param>
    /// <param name="bytes">Its size as the guest sees it.</param>
    /// <param name="user">To whom it belongs.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="DiskUnavailableException">qemu-img or the disk failed.</exception>
    public static async Task MakeAsync(string path, DiskFile below, long bytes, Unprivileged user, CancellationToken ct)
    {
        File.Delete(path);
        Hand(path, user);
        await RunAsync(
            user,
            MakeTimeout,
            ["create", "-q", "-u", "-f", "qcow2", "-F", DiskInspection.NameOf(below.Format), "-b", below.Path, path, bytes.ToString(CultureInfo.InvariantCulture)],
            ct);
        DurableFile.Sync(path);
    }

    /// <summary>Copies what a layer has into the one below it. Neither may be in use. Cut short, the two show the same as before.</summary>
    /// <exception cref="DiskUnavailableException">qemu-img or the disk failed.</exception>
    public static async Task MergeAsync(DiskFile upper, Unprivileged user, CancellationToken ct)
    {
        await RunAsync(user, MergeTimeout, ["commit", "-q", "-d", NameOf(upper)], ct);
        DurableFile.Sync(upper.Backing!.Path);
    }

    /// <summary>Writes a layer and what shows through it into one file of its own: qcow2, compressed by zstd.</summary>
    /// <param name="from">Only read. A QEMU may have it open for reading too.</param>
    /// <param name="path">The file.</param>
    /// <param name="user">To whom the layers belong.</param>
    /// <param name="ct">Gives up; half a file may be left.</param>
    /// <exception cref="DiskUnavailableException">qemu-img or the disk failed.</exception>
    public static async Task ExportAsync(DiskFile from, string path, Unprivileged user, CancellationToken ct)
    {
        File.Delete(path);
        Hand(path, user);
        await RunAsync(user, ExportTimeout, ["convert", "-q", "-c", "-O", "qcow2", "-o", "compression_type=zstd", NameOf(from), path], ct);
    }

    // qemu-img takes a tree of nodes in a file's place.
    private static string NameOf(DiskFile file) => "json:" + NodeOf(file).ToJsonString();

    private static JsonObject NodeOf(DiskFile file)
    {
        var node = new JsonObject
        {
            ["driver"] = DiskInspection.NameOf(file.Format),
            ["file"] = new JsonObject { ["driver"] = "file", ["filename"] = file.Path },
        };
        if (file.Format == DiskFormat.Qcow2)
        {
            node["backing"] = file.Backing is { } below ? NodeOf(below) : null;
        }

        return node;
    }

    // A user of a machine can make no file where its disks lie.
    private static void Hand(string path, Unprivileged user)
    {
        new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerFile }).Dispose();
        Ownership.Set(path, user.User, user.User);
    }

    private static async Task RunAsync(Unprivileged user, TimeSpan timeout, IReadOnlyList<string> args, CancellationToken ct)
    {
        IReadOnlyList<string> limited =
        [
            string.Create(CultureInfo.InvariantCulture, $"--as={MostMemory}"), "--core=0", string.Create(CultureInfo.InvariantCulture, $"--nofile={MostFiles}"),
            "--", QemuPrograms.QemuImg, .. args,
        ];
        try
        {
            var said = await ProcessRunner.RunAsync(QemuPrograms.SetPriv, user.SetPriv(QemuPrograms.PrLimit, limited), timeout, ct: ct, check: false);
            if (said.ExitCode != 0)
            {
                throw new DiskUnavailableException($"qemu-img {args[0]} failed: {said.Error.Trim()}");
            }
        }
        catch (ProcessFailedException e)
        {
            throw new DiskUnavailableException($"qemu-img {args[0]} failed: {e.Message}", e);
        }
    }
}
