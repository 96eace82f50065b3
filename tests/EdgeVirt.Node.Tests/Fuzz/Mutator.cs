using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace EdgeVirt.Node.Tests.Fuzz;

/// <summary>Makes an input of valid ones. The same seed makes the same input as long as the corpus stays the same.</summary>
internal static class Mutator
{
    private const int MaxLength = 1 << 20;

    private static readonly long[] s_numbers =
        [0, 1, -1, 7, 8, 127, 128, 255, 256, 511, 512, 513, 4095, 4096, 65535, 65536, int.MaxValue, int.MinValue, uint.MaxValue, 1L << 32, long.MaxValue, long.MinValue, long.MaxValue - 511];

    private static readonly string[] s_tokens =
        ["../", "/", "null", "[]", "{}", "\"\"", ":", ",", "=", "\"", "\\u0000", "\0", "\n", "\r\n", "sha256:", ".wh.", ".wh..wh..opq", "é", "[null]", "1e999", "-", " "];

    public static byte[] Make(int seed, IReadOnlyList<byte[]> corpus)
    {
        var random = new Random(seed);
        var bytes = corpus[random.Next(corpus.Count)].ToList();
        for (var left = 1 + random.Next(6); left > 0; left--)
        {
            Mutate(bytes, random, corpus);
        }

        return [.. bytes.Take(MaxLength)];
    }

    private static void Mutate(List<byte> bytes, Random random, IReadOnlyList<byte[]> corpus)
    {
        var at = random.Next(bytes.Count + 1);
        var rest = bytes.Count - at;
        switch (random.Next(12))
        {
            case 0 when rest > 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1 when rest > 0:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2:
                bytes.RemoveRange(at, rest);
                break;
            case 3:
                bytes.RemoveRange(at, Math.Min(rest, 1 + random.Next(random.Next(2) == 0 ? 8 : 1024)));
                break;
            case 4:
                bytes.InsertRange(at, Enumerable.Repeat((byte)random.Next(256), 1 + random.Next(random.Next(8) == 0 ? 4096 : 16)));
                break;
            case 5:
                var other = corpus[random.Next(corpus.Count)];
                var from = random.Next(other.Length + 1);
                Put(bytes, at, other[from..(from + random.Next(other.Length - from + 1))], isInsert: random.Next(2) == 0);
                break;
            case 6:
                Put(bytes, at, bytes.GetRange(at, Math.Min(rest, 1 + random.Next(2048))).ToArray(), isInsert: true);
                break;
            case 7:
                Put(bytes, at, Binary(random), isInsert: false);
                break;
            case 8:
                ReplaceNumber(bytes, at, random);
                break;
            case 9:
                Put(bytes, at, Encoding.UTF8.GetBytes(s_tokens[random.Next(s_tokens.Length)]), isInsert: random.Next(2) == 0);
                break;
            case 10:
                ReplaceValue(bytes, at, random);
                break;
            default:
                // Blocks of an archive trade places.
                var (one, two) = (random.Next((bytes.Count / 512) + 1) * 512, random.Next((bytes.Count / 512) + 1) * 512);
                for (var i = 0; i < 512 && Math.Max(one, two) + i < bytes.Count; i++)
                {
                    (bytes[one + i], bytes[two + i]) = (bytes[two + i], bytes[one + i]);
                }

                break;
        }
    }

    private static byte[] Binary(Random random)
    {
        var bytes = new byte[8];
        var number = s_numbers[random.Next(s_numbers.Length)];
        if (random.Next(2) == 0)
        {
            BinaryPrimitives.WriteInt64BigEndian(bytes, number);
            return bytes[random.Next(8)..];
        }

        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        return bytes[..(1 + random.Next(8))];
    }

    /// <summary>The JSON value behind a place becomes another one, so that the document stays sound.</summary>
    private static void ReplaceValue(List<byte> bytes, int at, Random random)
    {
        while (at < bytes.Count && bytes[at] is not ((byte)':' or (byte)'['))
        {
            at++;
        }

        var (start, end, depth) = (Math.Min(at + 1, bytes.Count), at + 1, 0);
        for (; end < bytes.Count && (depth > 0 || bytes[end] is not ((byte)',' or (byte)'}' or (byte)']')); end++)
        {
            depth += bytes[end] switch { (byte)'{' or (byte)'[' => 1, (byte)'}' or (byte)']' => -1, _ => 0 };
        }

        bytes.RemoveRange(start, Math.Max(0, Math.Min(end, bytes.Count) - start));
        bytes.InsertRange(start, Encoding.UTF8.GetBytes(s_tokens[random.Next(s_tokens.Length)]));
    }

    /// <summary>The digits behind a place become another number: lengths, sizes, offsets in texts, octal ones of tar too.</summary>
    private static void ReplaceNumber(List<byte> bytes, int at, Random random)
    {
        while (at < bytes.Count && !char.IsAsciiDigit((char)bytes[at]))
        {
            at++;
        }

        var end = at;
        while (end < bytes.Count && char.IsAsciiDigit((char)bytes[end]))
        {
            end++;
        }

        var number = s_numbers[random.Next(s_numbers.Length)];
        var text = random.Next(3) switch
        {
            0 => Convert.ToString(number, 8).PadLeft(end - at, '0'),
            1 => number.ToString(CultureInfo.InvariantCulture).PadLeft(end - at, '0'),
            _ => number.ToString(CultureInfo.InvariantCulture),
        };
        if (random.Next(2) == 0 && text.Length > end - at)
        {
            text = text[..(end - at)];
        }

        bytes.RemoveRange(at, end - at);
        bytes.InsertRange(at, Encoding.ASCII.GetBytes(text));
    }

    private static void Put(List<byte> bytes, int at, byte[] piece, bool isInsert)
    {
        if (!isInsert)
        {
            bytes.RemoveRange(at, Math.Min(piece.Length, bytes.Count - at));
        }

        if (bytes.Count + piece.Length <= MaxLength)
        {
            bytes.InsertRange(at, piece);
        }
    }
}
