using System.Text;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Images.Deltas;
using EdgeVirt.Node.Containers.Images.Layers;
using EdgeVirt.Node.Tests.Containers.Images;
using EdgeVirt.Node.Tests.Containers.Images.Deltas;
using ZstdSharp;

namespace EdgeVirt.Node.Tests.Fuzz;

/// <summary>Tables of contents of zstd:chunked layers: the first byte says whether it is a packed table, a plain one, or the annotations.</summary>
internal sealed class ContentsTarget : FuzzTarget
{
    private const long LayerBytes = 1 << 20;
    private const string Prefix = "io.github.containers.zstd-chunked.";

    public ContentsTarget()
    {
        byte[]? json = null;
        var writer = new ChunkedLayerWriter { WithTarSplit = true, PartBytes = 700, Tamper = contents => json = Encoding.UTF8.GetBytes(contents.ToJsonString()) };
        var blob = writer.Write(new TarBuilder().Directory("d").File("d/a", new string('a', 2000)).Symlink("l", "d/a").File("b", "short").Add('0', "zeros", new byte[1500]).ToArray());
        var position = writer.Annotations[Prefix + "manifest-position"].Split(':').Select(int.Parse).ToArray();
        Corpus =
        [
            [(byte)'j', .. json!],
            [(byte)'z', .. blob.AsSpan(position[0], position[1])],
            [(byte)'a', .. Encoding.UTF8.GetBytes(string.Join('\n', writer.Annotations.Select(one => $"{one.Key}={one.Value}")))],
        ];
    }

    public override string Name => "toc";

    public override IReadOnlyList<byte[]> Corpus { get; }

    public override void Take(byte[] input)
    {
        var content = input.AsSpan(Math.Min(1, input.Length)).ToArray();
        try
        {
            switch (input.Length > 0 ? input[0] : 0)
            {
                case 'a':
                    TakeAnnotations(Encoding.UTF8.GetString(content));
                    break;
                case 'z':
                    TakePacked(content);
                    break;
                default:
                    TakeTable(new MemoryStream(content));
                    break;
            }
        }
        catch (NoDeltaException)
        {
        }
    }

    private static void TakeAnnotations(string text)
    {
        Dictionary<string, string> annotations = [];
        foreach (var line in text.Split('\n'))
        {
            var equals = line.IndexOf('=', StringComparison.Ordinal);
            annotations[equals < 0 ? line : line[..equals]] = line[(equals + 1)..];
        }

        var layer = ChunkedLayer.From(new Descriptor { Digest = "sha256:x", Size = LayerBytes, Annotations = annotations });
        Require(layer.Contents is { Start: >= 0, End: <= LayerBytes, Length: > 0 and <= ChunkedLayer.MaxPackedBytes }, "the table lies outside its layer");
        Require(layer.ContentsBytes is >= 0 and <= ChunkedLayer.MaxUnpackedBytes && layer.TarEnd is >= 0 and <= LayerBytes, "sizes are out of range");
        Require(layer.Headers is null or { Start: >= 0, End: <= LayerBytes }, "the headers lie outside their layer");
    }

    private static void TakePacked(byte[] packed)
    {
        try
        {
            using var json = LayerCompression.Zstd(new MemoryStream(packed));
            using var counted = new HashingStream(json, count =>
            {
                if (count > LayerBytes)
                {
                    throw new NoDeltaException("too large");
                }
            }, isHashing: false);
            TakeTable(counted);
        }
        catch (Exception damaged) when (damaged is ZstdException or InvalidDataException or EndOfStreamException)
        {
            // As the planner has it.
        }
    }

    private static void TakeTable(Stream json)
    {
        var contents = new ContentsCheck(LayerBytes, 1 << 30, ContentsCheck.MaxWeight).Run(new ContentsReader(json));
        Require(contents.IsForeseen.Count == contents.Pieces.Count, "not every piece has its gap");
        long end = 0;
        foreach (var piece in contents.Pieces)
        {
            Require(piece.Start >= end && piece.End > piece.Start && piece.End <= LayerBytes, "a piece lies outside the layer or over another");
            var file = contents.Files[piece.File];
            Require(piece.FileOffset >= 0 && piece.Length > 0 && piece.FileOffset <= file.Size - piece.Length, "a piece lies outside its file");
            end = piece.End;
        }
    }
}
