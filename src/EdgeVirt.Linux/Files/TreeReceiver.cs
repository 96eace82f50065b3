using System.Formats.Tar;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;
using static EdgeVirt.Linux.Files.FileCalls;

namespace EdgeVirt.Linux.Files;

/// <summary>
/// Takes what <see cref="TreeSender"/> wrote. It is put under a temporary name beside its place and moved there when all of it
/// is there and on the disk, so that nothing half-written is ever seen. A directory that is there already is added to.
/// </summary>
public static class TreeReceiver
{
    private const string TemporaryPrefix = ".edgevirt-cp-";
    private const uint OwnerOnly = 0x1C0; // 0700, until all is in it

    /// <summary>Receives to the stream's end.</summary>
    /// <param name="tar">What came; it throws where it broke off.</param>
    /// <param name="directory">Where to, from <see cref="RootedDirectory.OpenTarget"/>; stays open.</param>
    /// <param name="name">Under which name there.</param>
    /// <param name="user">Whom everything is to belong to.</param>
    /// <param name="group">Likewise.</param>
    /// <param name="ct">Gives up; nothing is left.</param>
    /// <exception cref="IOException">It cannot be written, or a file would take a directory's place.</exception>
    /// <exception cref="InvalidDataException">It is no such tar.</exception>
    public static async Task ReceiveAsync(Stream tar, SafeFileHandle directory, string name, uint user, uint group, CancellationToken ct)
    {
        var temporary = TemporaryPrefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
        try
        {
            using (var tree = ConfinedTree.Open($"/proc/self/fd/{directory.DangerousGetHandle()}/."))
            {
                await UnpackAsync(tar, tree, temporary, (user, group), ct).ConfigureAwait(false);
                tree.Sync();
            }

            Place(directory, Encoding.UTF8.GetBytes(temporary), directory, Encoding.UTF8.GetBytes(name), name);
        }
        finally
        {
            // After success there is nothing of that name.
            FileTree.RemoveAt(directory, Encoding.UTF8.GetBytes(temporary));
        }
    }

    private static async Task UnpackAsync(Stream tar, ConfinedTree tree, string temporary, (uint User, uint Group) owner, CancellationToken ct)
    {
        List<(byte[] Path, EntryMetadata Metadata)> directories = [];
        var count = 0;
        await using (var reader = new TarReader(tar, leaveOpen: true))
        {
            while (await NextAsync(reader, ct).ConfigureAwait(false) is { } entry)
            {
                var path = PathIn(temporary, entry.Name);
                var metadata = new EntryMetadata { Mode = (uint)entry.Mode, User = owner.User, Group = owner.Group, ModifiedSeconds = entry.ModificationTime.ToUnixTimeSeconds() };
                count++;
                switch (entry.EntryType)
                {
                    case TarEntryType.Directory:
                        tree.MakeDirectory(path, metadata with { Mode = OwnerOnly });
                        directories.Add((path, metadata));
                        break;
                    case TarEntryType.SymbolicLink:
                        tree.MakeSymbolicLink(path, Encoding.UTF8.GetBytes(entry.LinkName), metadata);
                        break;
                    case TarEntryType.RegularFile:
                        await WriteAsync(tree, path, entry, metadata, ct).ConfigureAwait(false);
                        break;
                    default:
                        throw new InvalidDataException($"'{entry.Name}' is neither file, directory nor symbolic link.");
                }
            }
        }

        if (count == 0)
        {
            throw new InvalidDataException("Nothing came.");
        }

        // The end of the tar is not the end of the stream: only that says that nothing broke off.
        await tar.CopyToAsync(Stream.Null, ct).ConfigureAwait(false);
        foreach (var (path, metadata) in Enumerable.Reverse(directories))
        {
            tree.MakeDirectory(path, metadata);
        }
    }

    private static async Task<TarEntry?> NextAsync(TarReader reader, CancellationToken ct)
    {
        try
        {
            return await reader.GetNextEntryAsync(copyData: false, ct).ConfigureAwait(false);
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            throw new InvalidDataException($"What came is no tar: {e.Message}", e);
        }
    }

    private static async Task WriteAsync(ConfinedTree tree, byte[] path, TarEntry entry, EntryMetadata metadata, CancellationToken ct)
    {
        using var handle = tree.CreateFile(path);
        if (entry.DataStream is { } content)
        {
            await using var file = new FileStream(new SafeFileHandle(handle.DangerousGetHandle(), ownsHandle: false), FileAccess.Write, bufferSize: 0);
            await content.CopyToAsync(file, ct).ConfigureAwait(false);
        }

        ConfinedTree.Finish(handle, metadata);
    }

    private static byte[] PathIn(string temporary, string name) => Encoding.UTF8.GetBytes((temporary + PathOf(name)).TrimStart('/'));

    /// <summary>What of an entry's name in a tar of <see cref="TreeSender"/> lies below the source, with a slash before it; empty for the source itself.</summary>
    /// <exception cref="InvalidDataException">It is no name that it writes.</exception>
    public static string PathOf(string name)
    {
        // A tree confines to its directory; what lies beside the temporary name there is not ours either.
        var parts = name.TrimEnd('/').Split('/');
        return parts[0] == TreeSender.SourceName && parts.All(part => part is not ("" or "." or ".."))
            ? string.Concat(parts.Skip(1).Select(part => "/" + part))
            : throw new InvalidDataException($"'{name}' is no part of what was to be copied.");
    }

    private static void Place(SafeFileHandle from, byte[] name, SafeFileHandle to, byte[] newName, string shown)
    {
        if (Status(from, name, out var source) is var error and not 0)
        {
            throw new LinuxException($"stat {shown}", error);
        }

        var isThere = Status(to, newName, out var target) == 0;
        if (isThere && source.Type == TypeDirectory && target.Type == TypeDirectory)
        {
            using var inside = OpenChild(from, name, shown);
            using var there = OpenChild(to, newName, shown);
            foreach (var child in FileTree.Names(inside))
            {
                Place(inside, child, there, child, $"{shown}/{Encoding.UTF8.GetString(child)}");
            }

            return;
        }

        if (isThere && (source.Type == TypeDirectory) != (target.Type == TypeDirectory))
        {
            throw new IOException(source.Type == TypeDirectory ? $"'{shown}' is there and is no directory." : $"'{shown}' is a directory there.");
        }

        if (Result(RenameAt(from, Terminated(name), to, Terminated(newName))) is var failed and not 0)
        {
            throw new LinuxException($"rename {shown}", failed);
        }
    }

    private static SafeFileHandle OpenChild(SafeFileHandle directory, byte[] name, string shown)
    {
        var descriptor = OpenAt(directory, Terminated(name), DirectoryOnly | NoFollow | CloseOnExec, 0);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw new LinuxException($"open {shown}", Marshal.GetLastPInvokeError());
    }
}
