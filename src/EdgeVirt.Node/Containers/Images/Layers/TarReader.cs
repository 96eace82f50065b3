using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;

namespace EdgeVirt.Node.Containers.Images.Layers;

/// <summary>
/// Reads a tar stream entry by entry, in constant memory. The platform's reader is not used because it
/// decodes names and attributes as text: a capability set is no text, and a name need not be.
/// </summary>
internal sealed class TarReader(Stream source)
{
    /// <summary>Longest pax or GNU name header; a layer whose entries need more is not honest.</summary>
    private const int MaxExtendedHeader = 1 << 20;

    private readonly byte[] _block = new byte[TarHeader.Size];
    private readonly PaxRecords _global = new();
    private long _content;
    private long _padding;

    /// <summary>The next entry, or null at the end. What was left of the last one's content is skipped.</summary>
    /// <exception cref="ImageRefusedException">The stream is no sound tar, or has an entry that layers must not have.</exception>
    public TarEntry? Next()
    {
        var pax = new PaxRecords();
        pax.Merge(_global);
        byte[]? longName = null, longLink = null;
        while (true)
        {
            Skip(_content + _padding);
            _content = _padding = 0;
            if (!ReadBlock())
            {
                return null;
            }

            var header = new TarHeader(_block);
            if (header.IsZero)
            {
                return null;
            }

            if (!header.IsSound)
            {
                throw Damaged("a header's checksum is wrong");
            }

            var size = header.ContentSize;
            switch (header.Type)
            {
                case 'x':
                    pax.Read(ReadExtended(size));
                    continue;
                case 'g':
                    _global.Read(ReadExtended(size));
                    pax.Merge(_global);
                    continue;
                case 'L':
                    longName = ReadExtended(size).AsSpan().TrimEnd((byte)0).ToArray();
                    continue;
                case 'K':
                    longLink = ReadExtended(size).AsSpan().TrimEnd((byte)0).ToArray();
                    continue;
                default:
                    return Entry(header, pax, longName, longLink, size);
            }
        }
    }

    /// <summary>Reads the current entry's content; zero at its end.</summary>
    public int Read(Span<byte> buffer)
    {
        if (_content == 0)
        {
            return 0;
        }

        var read = source.Read(buffer[..(int)Math.Min(buffer.Length, _content)]);
        _content -= read;
        return read > 0 ? read : throw Damaged("it ends within a file");
    }

    public static ImageRefusedException Damaged(string what, Exception? inner = null) =>
        new(ImageRefusedReason.DamagedArchive, $"Layer refused: the archive is damaged ({what}).", inner);

    private TarEntry Entry(TarHeader header, PaxRecords pax, byte[]? longName, byte[]? longLink, long headerSize)
    {
        var name = pax.Bytes("path") ?? longName ?? header.Name;
        var kind = header.Type switch
        {
            '0' or '\0' or '7' => name is [.., (byte)'/'] ? TarKind.Directory : TarKind.File,
            '1' => TarKind.HardLink,
            '2' => TarKind.SymbolicLink,
            '3' => TarKind.CharacterDevice,
            '4' => TarKind.BlockDevice,
            '5' => TarKind.Directory,
            '6' => TarKind.Fifo,
            var type => throw new ImageRefusedException(ImageRefusedReason.UnsupportedEntry, $"Layer refused: an entry has type '{type}', which image layers must not have."),
        };
        if (kind == TarKind.File)
        {
            Content(pax.Number("size") ?? headerSize);
        }

        var (seconds, nanoseconds) = pax.Time("mtime") ?? (header.Modified, 0);
        return new TarEntry(kind, name, pax.Bytes("linkpath") ?? longLink ?? header.LinkName, _content, new EntryMetadata
        {
            Mode = header.Mode,
            User = Owner(pax.Number("uid") ?? header.User),
            Group = Owner(pax.Number("gid") ?? header.Group),
            ModifiedSeconds = seconds,
            ModifiedNanoseconds = nanoseconds,
            Attributes = pax.Attributes(),
        })
        {
            Device = kind is TarKind.CharacterDevice or TarKind.BlockDevice ? Device(header.DeviceMajor, header.DeviceMinor) : default,
        };
    }

    /// <summary>The largest number means "leave as it is" to chown, so it is no owner.</summary>
    private static uint Owner(long number) => number is >= 0 and < uint.MaxValue ? (uint)number : throw Damaged("an owner is out of range");

    private static DeviceNumber Device(long major, long minor) =>
        major is >= 0 and <= DeviceNumber.MaxMajor && minor is >= 0 and <= DeviceNumber.MaxMinor ? new DeviceNumber((uint)major, (uint)minor) : throw Damaged("a device's number is out of range");

    private void Content(long size)
    {
        if (size is < 0 or > long.MaxValue - TarHeader.Size)
        {
            throw Damaged("a size is out of range");
        }

        _content = size;
        _padding = (TarHeader.Size - (size % TarHeader.Size)) % TarHeader.Size;
    }

    private byte[] ReadExtended(long size)
    {
        if (size is < 0 or > MaxExtendedHeader)
        {
            throw Damaged("an extended header is too long");
        }

        Content(size);
        var content = new byte[size];
        for (var read = 0; read < content.Length;)
        {
            read += Read(content.AsSpan(read));
        }

        return content;
    }

    private bool ReadBlock()
    {
        var read = source.ReadAtLeast(_block, _block.Length, throwOnEndOfStream: false);
        return read switch
        {
            TarHeader.Size => true,
            0 => false,
            _ => throw Damaged("it ends within a header"),
        };
    }

    private void Skip(long count)
    {
        Span<byte> scrap = stackalloc byte[4096];
        while (count > 0)
        {
            var read = source.Read(scrap[..(int)Math.Min(scrap.Length, count)]);
            count -= read > 0 ? read : throw Damaged("it ends within a file");
        }
    }
}
