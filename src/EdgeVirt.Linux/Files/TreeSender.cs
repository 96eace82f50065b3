using System.Formats.Tar;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using static EdgeVirt.Linux.Files.FileCalls;

namespace EdgeVirt.Linux.Files;

/// <summary>
/// Writes a file or a directory with all that is in it as a tar. Everything is opened by descriptors and no symbolic link is
/// followed, so that whoever changes the tree meanwhile cannot lead it elsewhere. Devices, fifos and sockets are left out.
/// </summary>
public static class TreeSender
{
    /// <summary>Name of the source in the tar; what it is called at the far end is decided there.</summary>
    internal const string SourceName = "source";

    private const int ReadFlags = 0x800; // O_NONBLOCK: what was a file may be a fifo by now
    private const int MostDepth = 200;

    /// <summary>Sends; the stream stays open.</summary>
    /// <param name="source">From <see cref="RootedDirectory.OpenSource"/>; stays open.</param>
    /// <param name="tar">Where to.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="LinuxException">Something cannot be read.</exception>
    /// <exception cref="InvalidDataException">Something cannot be in a tar.</exception>
    public static Task SendAsync(SafeFileHandle source, Stream tar, CancellationToken ct) => SendAsync(source, tar, asBackup: false, ct);

    /// <summary>Sends a directory such that it can be made anew: with owners, hard links, fifos and those extended attributes that <see cref="BackupAttributes"/> names.</summary>
    /// <param name="directory">Absolute path; nobody else can change what it leads to.</param>
    /// <param name="tar">Where to; stays open.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="LinuxException">Something cannot be read.</exception>
    /// <exception cref="InvalidDataException">Something cannot be in a tar.</exception>
    public static async Task BackUpAsync(string directory, Stream tar, CancellationToken ct)
    {
        using var root = RootedDirectory.Open("/");
        using var source = root.OpenSource(directory);
        await SendAsync(source, tar, asBackup: true, ct).ConfigureAwait(false);
    }

    private static async Task SendAsync(SafeFileHandle source, Stream tar, bool asBackup, CancellationToken ct)
    {
        await using var tarWriter = asBackup ? null : new TarWriter(tar, TarEntryFormat.Pax, leaveOpen: true);
        var backup = asBackup ? new PaxWriter(tar) : null;
        var writer = new EntryWriter(tarWriter, backup);
        if (Status(source, default, out var stat) is var error and not 0)
        {
            throw new LinuxException("stat", error);
        }

        switch (stat.Type)
        {
            case TypeDirectory:
                await SendDirectoryAsync(writer, source, stat, SourceName, 0, ct).ConfigureAwait(false);
                break;
            case TypeRegular:
                await SendFileAsync(writer, source, stat, SourceName, ct).ConfigureAwait(false);
                break;
            default:
                throw new InvalidDataException("It is neither a file nor a directory.");
        }

        await (backup?.EndAsync(ct) ?? Task.CompletedTask).ConfigureAwait(false);
    }

    private static async Task SendDirectoryAsync(EntryWriter writer, SafeFileHandle directory, Stat stat, string path, int depth, CancellationToken ct)
    {
        if (depth > MostDepth)
        {
            throw new InvalidDataException($"'{path}' lies more than {MostDepth} directories deep.");
        }

        await writer.WriteAsync(new PaxTarEntry(TarEntryType.Directory, path), stat, () => BackupAttributes.Of(directory), ct).ConfigureAwait(false);
        foreach (var bytes in FileTree.Names(directory))
        {
            ct.ThrowIfCancellationRequested();
            if (Status(directory, bytes, out var found) == 0)
            {
                await SendEntryAsync(writer, directory, bytes, found, $"{path}/{NameOf(bytes, path)}", depth, ct).ConfigureAwait(false);
            }
        }
    }

    private static async Task SendEntryAsync(EntryWriter writer, SafeFileHandle directory, byte[] name, Stat stat, string path, int depth, CancellationToken ct)
    {
        if (stat.Type == TypeSymlink)
        {
            if (ReadLink(directory, name) is { Length: > 0 } target)
            {
                await writer.WriteAsync(new PaxTarEntry(TarEntryType.SymbolicLink, path) { LinkName = target }, stat, () => BackupAttributes.Of(directory, name), ct).ConfigureAwait(false);
            }

            return;
        }

        if (stat.Type == TypeFifo && writer.IsBackup)
        {
            await writer.WriteAsync(new PaxTarEntry(TarEntryType.Fifo, path), stat, () => BackupAttributes.Of(directory, name), ct).ConfigureAwait(false);
            return;
        }

        if (stat.Type is not (TypeDirectory or TypeRegular))
        {
            return;
        }

        using var opened = OpenOrNull(directory, name, stat.Type == TypeDirectory, path);

        // Looked at again by what was opened: it is that which is sent.
        if (opened is null || Status(opened, default, out var now) != 0)
        {
            return;
        }

        if (now.Type == TypeDirectory)
        {
            await SendDirectoryAsync(writer, opened, now, path, depth + 1, ct).ConfigureAwait(false);
        }
        else if (now.Type == TypeRegular)
        {
            await SendFileAsync(writer, opened, now, path, ct).ConfigureAwait(false);
        }
    }

    private static async Task SendFileAsync(EntryWriter writer, SafeFileHandle file, Stat stat, string path, CancellationToken ct)
    {
        if (writer.FirstNameOf(stat, path) is { } first)
        {
            await writer.WriteAsync(new PaxTarEntry(TarEntryType.HardLink, path) { LinkName = first }, stat, () => [], ct).ConfigureAwait(false);
            return;
        }

        // The handle's owner disposes it, and this stream holds nothing beside it.
        var content = new FileStream(new SafeFileHandle(file.DangerousGetHandle(), ownsHandle: false), FileAccess.Read, bufferSize: 0);
        await using var bounded = new FixedLengthStream(content, (long)stat.Size);
        await writer.WriteAsync(new PaxTarEntry(TarEntryType.RegularFile, path) { DataStream = bounded }, stat, () => BackupAttributes.Of(file), ct).ConfigureAwait(false);
    }

    private static string NameOf(byte[] name, string path)
    {
        var text = Encoding.UTF8.GetString(name);
        return Encoding.UTF8.GetBytes(text).AsSpan().SequenceEqual(name)
            ? text
            : throw new InvalidDataException($"A name in '{path}' is not UTF-8: {text}.");
    }

    private static SafeFileHandle? OpenOrNull(SafeFileHandle directory, byte[] name, bool isDirectory, string path)
    {
        var descriptor = OpenAt(directory, Terminated(name), (isDirectory ? DirectoryOnly : ReadFlags) | NoFollow | CloseOnExec, 0);
        var error = descriptor < 0 ? Marshal.GetLastPInvokeError() : 0;
        return error switch
        {
            0 => new SafeFileHandle(descriptor, ownsHandle: true),
            ENOENT or ENOTDIR or ELOOP => null,
            _ => throw new LinuxException($"open {path[(path.IndexOf('/', StringComparison.Ordinal) + 1)..]}", error),
        };
    }

    // One of the two.
    private sealed class EntryWriter(TarWriter? tar, PaxWriter? backup)
    {
        private readonly Dictionary<ulong, string> names = [];

        public bool IsBackup => backup is not null;

        /// <summary>The name under which a file with several was written before; null: this is the first.</summary>
        public string? FirstNameOf(Stat stat, string path) =>
            !IsBackup || stat.Links < 2 || names.TryAdd(stat.Inode, path) ? null : names[stat.Inode];

        public Task WriteAsync(PaxTarEntry entry, Stat stat, Func<IReadOnlyList<ExtendedAttribute>> attributes, CancellationToken ct)
        {
            if (backup is not null)
            {
                return backup.WriteAsync(
                    entry,
                    new EntryMetadata
                    {
                        Mode = stat.Mode & 0xFFFu, User = stat.User, Group = stat.Group,
                        ModifiedSeconds = stat.ModifySeconds, ModifiedNanoseconds = (int)stat.ModifyNanoseconds, Attributes = attributes(),
                    },
                    ct);
            }

            entry.Mode = (UnixFileMode)(stat.Mode & 0xFFF);
            entry.ModificationTime = DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(stat.ModifySeconds, 0, int.MaxValue));
            return tar!.WriteEntryAsync(entry, ct);
        }
    }
}
