using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using EdgeVirt.Node.Containers.Images;
using ZstdSharp;

namespace EdgeVirt.Node.Tests.Containers.Images.Deltas;

/// <summary>
/// Writes zstd:chunked layers, as pkg/chunked/compressor of containers/storage does, so that a test can make every part of them wrong,
/// and so that what Debian 12's tools do not write yet (tar-split data, parts of files, holes) is tested too.
/// </summary>
internal sealed class ChunkedLayerWriter
{
    private readonly MemoryStream _blob = new();
    private readonly MemoryStream _gap = new();
    private readonly StringBuilder _split = new();

    /// <summary>With tar-split data, as writers since 2024 do.</summary>
    public bool WithTarSplit { get; init; }

    /// <summary>Most bytes of a part of a file; content of zeros alone becomes a hole.</summary>
    public int PartBytes { get; init; } = int.MaxValue;

    /// <summary>Changes the table of contents before it is packed.</summary>
    public Action<JsonObject> Tamper { get; init; } = _ => { };

    /// <summary>Changes the blob before its digest is taken; the annotations stay.</summary>
    public Action<byte[]> Damage { get; init; } = _ => { };

    public Dictionary<string, string> Annotations { get; } = [];

    public byte[] Write(byte[] tar)
    {
        var entries = new JsonArray();
        for (var at = 0; at < tar.Length;)
        {
            var header = tar.AsSpan(at, 512);
            _gap.Write(header);
            at += 512;
            if (!header.ContainsAnyExcept((byte)0))
            {
                continue;
            }

            var size = Number(header[124..135]);
            var content = tar.AsSpan(at, size).ToArray();
            var padding = (512 - (size % 512)) % 512;
            var type = (char)header[156];
            if (type is '0' && size > 0)
            {
                AddFile(entries, Entry(header, "reg"), content);
                _split.AppendLine(CultureInfo.InvariantCulture, $$"""{"type":1,"name":"f","size":{{size}},"payload":"AAAAAAAAAAA=","position":0}""");
            }
            else
            {
                _gap.Write(content);
                if (type is not ('x' or 'L'))
                {
                    entries.Add((JsonNode)Entry(header, type switch { '5' => "dir", '2' => "symlink", '1' => "hardlink", _ => "reg" }));
                }
            }

            _gap.Write(tar, at + size, padding);
            at += size + padding;
        }

        CloseGap();
        return Finish(entries);
    }

    /// <summary>An image with one such layer on top of plain ones.</summary>
    public TestImage Image(byte[] tar, params byte[][] below)
    {
        var image = new TestImage(Packing.Zstd, [.. below, tar]);
        image.Layers[^1] = Write(tar);
        image.Tamper = manifest => manifest["layers"]![below.Length]!["annotations"] = new JsonObject(Annotations.Select(one => KeyValuePair.Create<string, JsonNode?>(one.Key, one.Value)));
        return image;
    }

    private void AddFile(JsonArray entries, JsonObject entry, byte[] content)
    {
        CloseGap();
        entry["digest"] = Digest.Of(content);
        entry["offset"] = _blob.Length;
        var parts = content.Chunk(PartBytes).ToList();
        var rest = new List<JsonObject>();
        for (var i = 0; i < parts.Count; i++)
        {
            var target = i == 0 ? entry : new JsonObject { ["type"] = "chunk", ["name"] = entry["name"]!.DeepClone(), ["chunkOffset"] = i * (long)PartBytes };
            if (parts.Count > 1)
            {
                target["chunkSize"] = parts[i].Length;
                target["chunkDigest"] = Digest.Of(parts[i]);
                target["offset"] = _blob.Length;
                if (parts[i].All(value => value == 0))
                {
                    target["chunkType"] = "zeros";
                }
            }

            _blob.Write(Packed(parts[i]));
            if (i > 0)
            {
                rest.Add(target);
            }
        }

        entry["endOffset"] = _blob.Length;
        entries.Add((JsonNode)entry);
        rest.ForEach(part => entries.Add((JsonNode)part));
    }

    private void CloseGap()
    {
        if (_gap.Length > 0)
        {
            _blob.Write(Packed(_gap.ToArray()));
            _split.AppendLine(CultureInfo.InvariantCulture, $$"""{"type":2,"payload":"{{Convert.ToBase64String(_gap.ToArray())}}","position":0}""");
            _gap.SetLength(0);
        }
    }

    private byte[] Finish(JsonArray entries)
    {
        var split = Packed(Encoding.UTF8.GetBytes(_split.ToString()));
        var contents = new JsonObject { ["version"] = 1, ["entries"] = entries };
        if (WithTarSplit)
        {
            contents["tarSplitDigest"] = Digest.Of(split);
        }

        Tamper(contents);
        var json = Encoding.UTF8.GetBytes(contents.ToJsonString());
        var packed = Packed(json);
        Annotations["io.github.containers.zstd-chunked.manifest-position"] = $"{_blob.Length + 8}:{packed.Length}:{json.Length}:1";
        Annotations["io.github.containers.zstd-chunked.manifest-checksum"] = Digest.Of(packed);
        Skippable(packed);
        if (WithTarSplit)
        {
            Annotations["io.github.containers.zstd-chunked.tarsplit-position"] = $"{_blob.Length + 8}:{split.Length}:{_split.Length}";
            Skippable(split);
        }

        Skippable(new byte[64]);
        var blob = _blob.ToArray();
        Damage(blob);
        return blob;
    }

    private void Skippable(byte[] content)
    {
        _blob.Write([0x50, 0x2a, 0x4d, 0x18]);
        _blob.Write(BitConverter.GetBytes(content.Length));
        _blob.Write(content);
    }

    private static JsonObject Entry(ReadOnlySpan<byte> header, string type) => new()
    {
        ["type"] = type,
        ["name"] = Text(header[..100]),
        ["linkName"] = Text(header[157..257]),
        ["mode"] = Number(header[100..107]),
        ["size"] = (long)Number(header[124..135]),
        ["uid"] = Number(header[108..115]),
        ["gid"] = Number(header[116..123]),
        ["modtime"] = DateTimeOffset.FromUnixTimeSeconds(Number(header[136..147])).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
        ["accesstime"] = "0001-01-01T00:00:00Z",
        ["changetime"] = "0001-01-01T00:00:00Z",
    };

    private static string Text(ReadOnlySpan<byte> field) => Encoding.UTF8.GetString(field.IndexOf((byte)0) is var end and >= 0 ? field[..end] : field);

    private static int Number(ReadOnlySpan<byte> octal) => Convert.ToInt32(Text(octal), 8);

    private static byte[] Packed(byte[] content)
    {
        using var packed = new MemoryStream();
        using (var writer = new CompressionStream(packed, leaveOpen: true))
        {
            writer.Write(content);
        }

        return packed.ToArray();
    }
}
