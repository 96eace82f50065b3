using System.Text;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>Writes tar streams that no honest tool would.</summary>
internal sealed class TarBuilder
{
    private readonly List<byte> _stream = [];

    public TarBuilder File(string name, string content = "content", int mode = 0x1A4, int uid = 0, int gid = 0) =>
        Add('0', name, Encoding.UTF8.GetBytes(content), mode: mode, uid: uid, gid: gid);

    public TarBuilder Directory(string name, int mode = 0x1ED) => Add('5', name, mode: mode);

    public TarBuilder Symlink(string name, string target) => Add('2', name, link: target);

    public TarBuilder HardLink(string name, string target) => Add('1', name, link: target);

    public TarBuilder Pax(params (string Key, string Value)[] records)
    {
        var content = new StringBuilder();
        foreach (var (key, value) in records)
        {
            var body = $" {key}={value}\n";
            var length = Encoding.UTF8.GetByteCount(body);
            var total = length + (length + 1).ToString().Length;
            total = length + total.ToString().Length;
            content.Append(total).Append(body);
        }

        return Add('x', "pax", Encoding.UTF8.GetBytes(content.ToString()));
    }

    public TarBuilder Add(char type, string name, byte[]? content = null, string link = "", int mode = 0x1A4, int uid = 0, int gid = 0, long? size = null)
    {
        if (Encoding.UTF8.GetByteCount(name) > 100)
        {
            Add('L', "././@LongLink", [.. Encoding.UTF8.GetBytes(name), 0]);
        }

        var block = new byte[512];
        Put(block, 0, 100, name);
        Put(block, 100, 8, Octal(mode, 7));
        Put(block, 108, 8, Octal(uid, 7));
        Put(block, 116, 8, Octal(gid, 7));
        Put(block, 124, 12, Octal(size ?? content?.Length ?? 0, 11));
        Put(block, 136, 12, Octal(1_600_000_000, 11));
        block[156] = (byte)type;
        Put(block, 157, 100, link);
        Put(block, 257, 8, "ustar\u000000");
        block.AsSpan(148, 8).Fill((byte)' ');
        Put(block, 148, 7, Octal(block.Sum(value => (int)value), 6) + "\0");
        _stream.AddRange(block);
        _stream.AddRange(content ?? []);
        _stream.AddRange(new byte[(512 - ((content?.Length ?? 0) % 512)) % 512]);
        return this;
    }

    /// <summary>With the two blocks that end an archive.</summary>
    public byte[] ToArray() => [.. _stream, .. new byte[1024]];

    /// <summary>As it stands, for archives that break off.</summary>
    public byte[] Unfinished() => _stream.ToArray();

    private static string Octal(long number, int digits) => Convert.ToString(number, 8).PadLeft(digits, '0');

    private static void Put(byte[] block, int offset, int length, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        bytes.AsSpan(0, Math.Min(length, bytes.Length)).CopyTo(block.AsSpan(offset));
    }
}
