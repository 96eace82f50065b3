using System.Buffers.Binary;

namespace EdgeVirt.Node.Containers.Images.Layers;

/// <summary>A tar header block: ustar (POSIX.1-1988), GNU and old V7.</summary>
internal readonly ref struct TarHeader(ReadOnlySpan<byte> block)
{
    public const int Size = 512;

    private readonly ReadOnlySpan<byte> _block = block;

    public char Type => (char)_block[156];

    public uint Mode => (uint)(Number(_block[100..108]) & 0xFFF);

    public long User => Number(_block[108..116]);

    public long Group => Number(_block[116..124]);

    public long ContentSize => Number(_block[124..136]);

    public long Modified => Number(_block[136..148]);

    public long DeviceMajor => Number(_block[329..337]);

    public long DeviceMinor => Number(_block[337..345]);

    public byte[] LinkName => Text(_block[157..257]).ToArray();

    public byte[] Name
    {
        get
        {
            var name = Text(_block[..100]);

            // GNU's magic has a blank where POSIX has NUL, and keeps times where POSIX has the prefix.
            var prefix = _block[257..263].SequenceEqual("ustar\0"u8) ? Text(_block[345..500]) : default;
            return prefix.IsEmpty ? name.ToArray() : [.. prefix, (byte)'/', .. name];
        }
    }

    public bool IsZero => !_block.ContainsAnyExcept((byte)0);

    /// <summary>The sum of all bytes, the sum's own field read as blanks. Old tars summed signed bytes.</summary>
    public bool IsSound
    {
        get
        {
            long unsigned = 0, signed = 0;
            for (var i = 0; i < Size; i++)
            {
                var value = i is >= 148 and < 156 ? (byte)' ' : _block[i];
                unsigned += value;
                signed += (sbyte)value;
            }

            var stated = Number(_block[148..156]);
            return stated == unsigned || stated == signed;
        }
    }

    /// <summary>Octal text, or big-endian binary when the first bit is set (GNU).</summary>
    private static long Number(ReadOnlySpan<byte> field)
    {
        if (field[0] >= 0x80)
        {
            var value = field.Length == 8
                ? BinaryPrimitives.ReadInt64BigEndian(field)
                : BinaryPrimitives.ReadInt64BigEndian(field[^8..]);
            var fits = field.Length == 8 || (field[0] == 0x80 && !field[1..^8].ContainsAnyExcept((byte)0) && value >= 0)
                || (field[0] == 0xFF && !field[1..^8].ContainsAnyExcept((byte)0xFF) && value < 0);
            return !fits ? throw TarReader.Damaged("a number does not fit 64 bits")
                : field.Length == 8 && field[0] != 0xFF ? value & long.MaxValue : value;
        }

        long number = 0;
        foreach (var digit in field.Trim(" \0"u8))
        {
            if (digit is < (byte)'0' or > (byte)'7' || number > long.MaxValue >> 3)
            {
                throw TarReader.Damaged("a number is not octal");
            }

            number = (number << 3) | (uint)(digit - '0');
        }

        return number;
    }

    private static ReadOnlySpan<byte> Text(ReadOnlySpan<byte> field) => field.IndexOf((byte)0) is var end and >= 0 ? field[..end] : field;
}
