using System.IO.Compression;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Images.Layers;
using EdgeVirt.Node.Tests.Containers.Images;
using EdgeVirt.Testing;
using ZstdSharp;

namespace EdgeVirt.Node.Tests.Fuzz;

/// <summary>
/// A layer through the code that unpacks it. The first byte says how the rest is meant: a tar that is to be packed first, or a
/// blob as it is; and whether checksums of tar headers are made right again, without which no change gets past them.
/// </summary>
internal sealed class LayerTarget : FuzzTarget
{
    private const int Block = 512;
    private const byte Mend = 4;
    private const byte AsItIs = 3;

    private readonly TempDirectory _directory = new();
    private readonly LayerStore _store;
    private readonly string _victim;
    private readonly DateTime _victimTime;
    private readonly string _below;

    public LayerTarget()
    {
        _victim = Path.Combine(_directory.Subdirectory("sentinel"), "victim");
        File.WriteAllText(_victim, "untouched");
        _victimTime = File.GetLastWriteTimeUtc(_victim);
        _below = _directory.Subdirectory("below");
        Directory.CreateDirectory(Path.Combine(_below, "etc"));
        _store = new LayerStore(_directory.Subdirectory("layers"), new UnpackLimits { MaxUnpackedBytes = 4 << 20, MaxEntries = 2000, RatioFloorBytes = 1 << 20, MinFreeBytes = 1 << 20 }, DiskSpace.Of);
        byte[][] tars =
        [
            new TarBuilder().Directory("etc").File("etc/passwd", "root:x:0:0::/:/bin/sh\n").Symlink("sh", "etc/passwd").HardLink("etc/shadow", "etc/passwd").ToArray(),
            new TarBuilder().File("etc/.wh.passwd", "").File("etc/.wh..wh..opq", "").Add('6', "fifo").Symlink("out", "../../sentinel").ToArray(),
            new TarBuilder().Pax(("path", "long/" + new string('n', 150)), ("mtime", "1700000000.25"), ("uid", "1000")).File("x")
                .Pax(("SCHILY.xattr.user.note", "hello"), ("SCHILY.xattr.security.capability", "\u0001\0\0\u0002\0\u0004\0\0\0\0\0\0\0\0\0\0\0\0\0\0")).File("bin/ping", mode: 0x9ED).ToArray(),
            new TarBuilder().File(new string('d', 90) + "/" + new string('e', 90)).Directory("tmp", 0x3FF).Add('g', "global", "20 comment=something\n"u8.ToArray()).File("tmp/a", new string('z', 3000)).ToArray(),
        ];
        Corpus = [.. tars.SelectMany(tar => (byte[][])[[Mend, .. tar], [Mend | 1, .. tar], [Mend | 2, .. tar], [AsItIs, .. Packed(tar, 1)], [AsItIs, .. Packed(tar, 2)]])];
    }

    public override string Name => "layer";

    public override IReadOnlyList<byte[]> Corpus { get; }

    public override void Take(byte[] input)
    {
        var kind = input.Length > 0 ? input[0] : (byte)0;
        var content = input.AsSpan(Math.Min(1, input.Length)).ToArray();
        if ((kind & Mend) != 0)
        {
            MendChecksums(content);
        }

        var packed = (kind & 3) == AsItIs ? content : Packed(content, kind & 3);
        var (digest, diffId) = (Digest.Of(packed), Digest.Of(content));
        try
        {
            using var blob = new MemoryStream(packed);
            _store.Unpack(blob, new Descriptor { Digest = digest, Size = packed.Length }, new LayerPlace(diffId, diffId, [_below]), 4 << 20, CancellationToken.None);
            _store.Remove(diffId);
        }
        catch (Exception documented) when (documented is ImageRefusedException or ImagePullException)
        {
            Require(!Directory.EnumerateFileSystemEntries(_directory.Combine("layers")).Any(), "a refused layer leaves something behind");
        }

        Require(File.ReadAllText(_victim) == "untouched" && File.GetLastWriteTimeUtc(_victim) == _victimTime, "a file outside the layer was changed");
        Require(Directory.GetFileSystemEntries(_directory.Path).Length == 3 && Directory.GetFileSystemEntries(Path.GetDirectoryName(_victim)!).Length == 1
            && Directory.GetFileSystemEntries(_below, "*", SearchOption.AllDirectories).Length == 1, "something was made outside the layer");
    }

    public override void Dispose()
    {
        _directory.Dispose();
        base.Dispose();
    }

    private static void MendChecksums(byte[] tar)
    {
        for (var at = 0; at + Block <= tar.Length;)
        {
            var header = tar.AsSpan(at, Block);
            if (!header.ContainsAnyExcept((byte)0))
            {
                return;
            }

            header.Slice(148, 8).Fill((byte)' ');
            var sum = 0;
            foreach (var value in header)
            {
                sum += value;
            }

            System.Text.Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(header[148..]);
            long size = 0;
            foreach (var digit in header.Slice(124, 11))
            {
                size = digit is >= (byte)'0' and <= (byte)'7' ? (size * 8) + digit - '0' : size;
            }

            // Not more than once around: a size that is too large ends the walk.
            size = Math.Min(size, tar.Length);
            at += Block + (int)((size + Block - 1) / Block * Block);
        }
    }

    private static byte[] Packed(byte[] tar, int packing)
    {
        if (packing == 0)
        {
            return tar;
        }

        using var packed = new MemoryStream();
        using (Stream stream = packing == 1 ? new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true) : new CompressionStream(packed, level: 1, leaveOpen: true))
        {
            stream.Write(tar);
        }

        return packed.ToArray();
    }
}
