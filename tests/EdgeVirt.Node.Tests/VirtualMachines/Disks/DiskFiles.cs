using System.Buffers.Binary;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Disks;

/// <summary>Disks of tests, made by the real qemu-img, in a directory that QEMU's users may enter.</summary>
internal sealed class DiskFiles : IDisposable
{
    public const long MiB = 1 << 20;
    private readonly TempDirectory directory = new();

    public DiskFiles()
    {
        File.SetUnixFileMode(directory.Path, File.GetUnixFileMode(directory.Path) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        Inspection = new DiskInspection(() => new DiskSpace(TotalBytes, AvailableBytes));
        Bases = new BaseDisks(directory.Combine("bases"), Inspection, 1 * MiB, () => new DiskSpace(TotalBytes, AvailableBytes));
    }

    public long TotalBytes { get; set; } = 4L << 30;

    public long AvailableBytes { get; set; } = 4L << 30;

    public DiskInspection Inspection { get; }

    public BaseDisks Bases { get; }

    public string Combine(string name) => directory.Combine(name);

    public string Subdirectory(string name) => directory.Subdirectory(name);

    /// <summary>A qcow2 of some MiB; words of qemu-img create may follow.</summary>
    public string Qcow2(string name, int mebibytes = 8, params string[] words)
    {
        var path = Combine(name);
        Command.Run("qemu-img", ["create", "-q", "-f", "qcow2", .. words, path, $"{mebibytes}M"]);
        return path;
    }

    public string Raw(string name, int mebibytes = 8)
    {
        var path = Combine(name);
        using var file = File.Create(path);
        file.SetLength(mebibytes * MiB);
        file.Write("a boot sector"u8);
        return path;
    }

    /// <summary>Changes bytes of a file.</summary>
    public static void Patch(string path, int offset, ulong value, int bytes = 8)
    {
        Span<byte> big = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(big, value);
        using var file = File.OpenWrite(path);
        file.Position = offset;
        file.Write(big[(8 - bytes)..]);
    }

    public async Task<BaseDisk> AddAsync(string path)
    {
        await using var file = File.OpenRead(path);
        return await Bases.AddAsync(file, default);
    }

    public void Dispose() => directory.Dispose();
}
