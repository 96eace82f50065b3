using System.IO.Pipelines;
using System.Text;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Images.Layers;

namespace EdgeVirt.Node.Containers.Volumes;

/// <summary>Makes anew what <see cref="TreeSender.BackUpAsync"/> wrote, read as layers are: names and attributes are bytes.</summary>
internal static class VolumeRestore
{
    private const uint OwnerOnly = 0x1C0; // 0700, until all is in it

    /// <summary>Restores to the stream's end: owners, modes, times, links and attributes as they were.</summary>
    /// <param name="tar">What came, not compressed; it throws where it broke off.</param>
    /// <param name="directory">Empty, and nobody else's.</param>
    /// <param name="ct">Gives up; what has been written so far stays.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="InvalidDataException">It is no such tar.</exception>
    public static async Task RunAsync(Stream tar, string directory, CancellationToken ct)
    {
        // What comes can only be waited for, what is read from tars is read at once: a pipe lies between the two.
        var pipe = new Pipe();
        var unpacking = Task.Run(
            async () =>
            {
                Exception? failure = null;
                try
                {
                    Unpack(pipe.Reader.AsStream(leaveOpen: true), directory, ct);
                }
                catch (Exception failed)
                {
                    failure = failed;
                    throw;
                }
                finally
                {
                    await pipe.Reader.CompleteAsync(failure);
                }
            },
            CancellationToken.None);
        try
        {
            await tar.CopyToAsync(pipe.Writer, ct);
            await pipe.Writer.CompleteAsync();
        }
        catch (Exception brokenOff)
        {
            await pipe.Writer.CompleteAsync(brokenOff);
            await unpacking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }

        await unpacking;
    }

    private static void Unpack(Stream tar, string directory, CancellationToken ct)
    {
        try
        {
            using var tree = ConfinedTree.Open(directory);
            UnpackInto(tree, tar, ct);
            tree.Sync();
        }
        catch (ImageRefusedException damaged)
        {
            throw new InvalidDataException(damaged.Message.Replace("Layer refused: ", "", StringComparison.Ordinal), damaged);
        }
        catch (OutsideTreeException outside)
        {
            throw new InvalidDataException(outside.Message, outside);
        }
    }

    private static void UnpackInto(ConfinedTree tree, Stream tar, CancellationToken ct)
    {
        List<(byte[] Path, EntryMetadata Metadata)> directories = [];
        var reader = new TarReader(tar);
        var buffer = new byte[64 << 10];
        var count = 0;
        for (; reader.Next() is { } entry; count++)
        {
            ct.ThrowIfCancellationRequested();
            var path = PathIn(entry.Name);
            var metadata = entry.Metadata with { Attributes = [.. entry.Metadata.Attributes.Where(attribute => BackupAttributes.Carries(attribute.Name))] };
            switch (entry.Kind)
            {
                case TarKind.Directory:
                    // Not yet its attributes: children would take its default ACL over.
                    tree.MakeDirectory(path, metadata with { Mode = OwnerOnly, Attributes = [] });
                    directories.Add((path, metadata));
                    break;
                case TarKind.SymbolicLink:
                    tree.MakeSymbolicLink(path, entry.LinkName, metadata);
                    break;
                case TarKind.File:
                    Write(tree, path, metadata, reader, buffer);
                    break;
                case TarKind.HardLink:
                    tree.MakeHardLink(path, PathIn(entry.LinkName));
                    break;
                case TarKind.Fifo:
                    tree.MakeFifo(path, metadata);
                    break;
                default:
                    throw new InvalidDataException($"'{Encoding.UTF8.GetString(entry.Name)}' is a device, which backups do not have.");
            }
        }

        if (count == 0)
        {
            throw new InvalidDataException("Nothing came.");
        }

        // The end of the tar is not the end of the stream: only that says that nothing broke off.
        tar.CopyTo(Stream.Null);
        foreach (var (path, metadata) in Enumerable.Reverse(directories))
        {
            tree.MakeDirectory(path, metadata);
        }
    }

    private static void Write(ConfinedTree tree, byte[] path, EntryMetadata metadata, TarReader reader, byte[] buffer)
    {
        using var file = tree.CreateFile(path);
        long offset = 0;
        for (var read = reader.Read(buffer); read > 0; read = reader.Read(buffer))
        {
            RandomAccess.Write(file, buffer.AsSpan(0, read), offset);
            offset += read;
        }

        ConfinedTree.Finish(file, metadata);
    }

    private static byte[] PathIn(byte[] name) => Encoding.UTF8.GetBytes(TreeReceiver.PathOf(Encoding.UTF8.GetString(name)).TrimStart('/'));
}
