using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Containers.Images.Layers;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>
/// Finds contents of a layer in the layers that are here, whatever they came as: by path and size, then by size alone. Every
/// candidate is hashed before it counts, so nothing has to be remembered of layers, and what flash has damaged is not found.
/// </summary>
internal sealed class LocalContent(LayerStore layers)
{
    /// <summary>Smaller files are looked for under their own path alone: among thousands of small files many have the same size.</summary>
    private const long LeastSizeAlone = 4 << 10;

    private const int BufferBytes = 128 << 10;

    /// <summary>Notes in each piece where its bytes are.</summary>
    public void Find(TableOfContents contents, CancellationToken ct)
    {
        // The newest first: an image's last version is most like its next.
        var sources = layers.All().OrderByDescending(id => File.GetLastWriteTimeUtc(layers.PathOf(id) + LayerStore.MarkerSuffix))
            .Select(id => (Layer: id, Tree: ReadOnlyTree.OpenOrNull(layers.PathOf(id)))).Where(source => source.Tree is not null).ToList();
        try
        {
            foreach (var (layer, tree) in sources)
            {
                foreach (var file in contents.Files)
                {
                    ct.ThrowIfCancellationRequested();
                    FindByPath(contents, file, layer, tree!);
                }
            }

            var wanted = contents.Files.Where(file => file.Size >= LeastSizeAlone && IsMissing(contents, file)).ToLookup(file => file.Size);
            foreach (var (layer, tree) in wanted.Count > 0 ? sources : [])
            {
                foreach (var (path, size) in tree!.Files().Where(file => wanted.Contains(file.Size)))
                {
                    ct.ThrowIfCancellationRequested();
                    FindBySize(contents, wanted[size].Where(file => IsMissing(contents, file)), new LocalFile(layer, path), tree);
                }
            }
        }
        finally
        {
            sources.ForEach(source => source.Tree!.Dispose());
        }
    }

    /// <summary>The name of a file as a path beneath a layer; null: no layer has such a name.</summary>
    private static byte[]? PathOf(string name)
    {
        try
        {
            return LayerPath.Normalise(Encoding.UTF8.GetBytes(name));
        }
        catch (ImageRefusedException)
        {
            return null;
        }
    }

    private static void FindByPath(TableOfContents contents, ContentFile file, string layer, ReadOnlyTree tree)
    {
        if (!IsMissing(contents, file) || PathOf(file.Name) is not { } path)
        {
            return;
        }

        using var handle = tree.OpenFileOrNull(path, out var size);
        if (handle is null)
        {
            return;
        }

        if (size == file.Size && HashOf(handle, 0, size) == file.Hash)
        {
            Note(contents, file, new LocalFile(layer, path));
        }
        else if (file.PieceCount > 1)
        {
            FindPieces(contents, file, new LocalFile(layer, path), handle, size);
        }
    }

    /// <summary>A large file that grew or changed in one place still has pieces where they were.</summary>
    private static void FindPieces(TableOfContents contents, ContentFile file, LocalFile local, SafeFileHandle handle, long size)
    {
        for (var i = file.FirstPiece; i < file.FirstPiece + file.PieceCount; i++)
        {
            var piece = contents.Pieces[i];
            if (piece.IsMissing && piece.FileOffset <= size - piece.Length && HashOf(handle, piece.FileOffset, piece.Length) == piece.Hash)
            {
                piece.Local = local;
            }
        }
    }

    private static void FindBySize(TableOfContents contents, IEnumerable<ContentFile> wanted, LocalFile local, ReadOnlyTree tree)
    {
        ContentHash? hash = null;
        foreach (var file in wanted.ToList())
        {
            using var handle = hash is null ? tree.OpenFileOrNull(local.Path, out _) : null;
            hash ??= handle is null ? null : HashOf(handle, 0, file.Size);
            if (hash == file.Hash)
            {
                Note(contents, file, local);
            }
        }
    }

    private static void Note(TableOfContents contents, ContentFile file, LocalFile local)
    {
        for (var i = file.FirstPiece; i < file.FirstPiece + file.PieceCount; i++)
        {
            contents.Pieces[i].Local = local;
        }
    }

    private static bool IsMissing(TableOfContents contents, ContentFile file)
    {
        for (var i = file.FirstPiece; i < file.FirstPiece + file.PieceCount; i++)
        {
            if (contents.Pieces[i].IsMissing)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Null: it cannot be read, as on flash that dies.</summary>
    private static ContentHash? HashOf(SafeFileHandle file, long offset, long length)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            for (var end = offset + length; offset < end;)
            {
                var read = RandomAccess.Read(file, buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - offset)), offset);
                if (read == 0)
                {
                    return null;
                }

                hash.AppendData(buffer, 0, read);
                offset += read;
            }

            return ContentHash.Of(hash);
        }
        catch (IOException)
        {
            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
