using System.Text;
using EdgeVirt.Node.Containers.Images.Layers;

namespace EdgeVirt.Node.Containers.Images.Archives;

/// <summary>
/// A tar file whose entries are read where they lie: nothing of it is unpacked, so no name in it can lead anywhere.
/// Links are followed within the archive alone, as old versions of <c>docker save</c> write them for layers that repeat.
/// </summary>
internal sealed class TarFiles : ILayoutFiles
{
    private const int MaxEntries = 10_000;
    private const int MaxLinks = 8;

    private readonly FileStream _file;
    private readonly Dictionary<string, (long Offset, long Length)> _contents = [];
    private readonly Dictionary<string, string> _links = [];

    /// <param name="file">The archive; owned from now on.</param>
    /// <exception cref="ImageRefusedException">It is no sound tar.</exception>
    /// <exception cref="ImagePullException">It is compressed.</exception>
    public TarFiles(FileStream file)
    {
        _file = file;
        try
        {
            Span<byte> magic = stackalloc byte[4];
            var read = file.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false);
            if (magic[..read] is [0x1f, 0x8b, ..] or [0x28, 0xb5, 0x2f, 0xfd] or [0xfd, (byte)'7', (byte)'z', ..] or [(byte)'B', (byte)'Z', (byte)'h', ..])
            {
                throw new ImagePullException($"{file.Name} is compressed as a whole; decompress it first (gunzip, unzstd, unxz). Layers inside may be compressed.");
            }

            file.Position = 0;
            Index(new TarReader(file));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public string Name => _file.Name;

    public Stream? Open(string name)
    {
        for (var hop = 0; hop < MaxLinks; hop++)
        {
            if (_contents.TryGetValue(name, out var place))
            {
                return new FileRange(_file.SafeFileHandle, place.Offset, place.Length);
            }

            if (!_links.TryGetValue(name, out var target))
            {
                return null;
            }

            name = target;
        }

        return null;
    }

    public void Dispose() => _file.Dispose();

    private void Index(TarReader tar)
    {
        for (var count = 0; tar.Next() is { } entry; count++)
        {
            if (count >= MaxEntries)
            {
                throw new ImageRefusedException(ImageRefusedReason.TooLarge, $"Archive refused: it has more than {MaxEntries} entries.");
            }

            var name = Plain(Encoding.UTF8.GetString(entry.Name));
            switch (entry.Kind)
            {
                case TarKind.File when _file.Position + entry.Size <= _file.Length:
                    _contents[name] = (_file.Position, entry.Size);
                    break;
                case TarKind.File:
                    throw TarReader.Damaged("it ends within a file");
                case TarKind.HardLink:
                    _links[name] = Plain(Encoding.UTF8.GetString(entry.LinkName));
                    break;
                case TarKind.SymbolicLink:
                    _links[name] = Plain(Path.Combine(Path.GetDirectoryName(name) ?? "", Encoding.UTF8.GetString(entry.LinkName)));
                    break;
                default:
                    break;
            }
        }
    }

    /// <summary>Without <c>.</c> and <c>..</c>; it is looked up in the index and nowhere else.</summary>
    private static string Plain(string name) => Path.GetFullPath("/" + name.Replace("\0", "", StringComparison.Ordinal)).Trim('/');
}
