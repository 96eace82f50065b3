namespace EdgeVirt.Linux;

/// <summary>File changes that a power cut cannot undo or halve.</summary>
public static class DurableFile
{
    /// <summary>
    /// Replaces a file as a whole: a temporary file beside it, fsync, rename, fsync of the directory. After a crash
    /// either the old or the new content is there. The directory must exist.
    /// </summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public static void Write(string path, ReadOnlySpan<byte> bytes, UnixFileMode mode)
    {
        var temporary = path + ".tmp";
        File.Delete(temporary);
        try
        {
            var options = new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                BufferSize = 0,
                UnixCreateMode = mode,
            };
            using (var file = new FileStream(temporary, options))
            {
                // The process's umask may have taken bits away.
                File.SetUnixFileMode(file.SafeFileHandle, mode);
                file.Write(bytes);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }

        SyncDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    /// <summary>
    /// Replaces a file as a whole, so that readers and a crash of this process see either content. A power cut may take it
    /// back, or leave it empty, until <see cref="Sync"/>.
    /// </summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public static void Replace(string path, ReadOnlySpan<byte> bytes, UnixFileMode mode)
    {
        var temporary = path + ".tmp";
        File.Delete(temporary);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = mode };
        using (var file = new FileStream(temporary, options))
        {
            File.SetUnixFileMode(file.SafeFileHandle, mode);
            file.Write(bytes);
        }

        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Makes a file's content and its entry in its directory durable.</summary>
    /// <exception cref="LinuxException">The file is gone or the disk refused.</exception>
    public static void Sync(string path)
    {
        SyncDescriptor(path);
        SyncDescriptor(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    /// <summary>Makes renames, creations and deletions in a directory durable.</summary>
    /// <exception cref="LinuxException">The directory cannot be opened or synced.</exception>
    public static void SyncDirectory(string dir) => SyncDescriptor(dir);

    private static void SyncDescriptor(string path)
    {
        var fd = Native.Open(path, Native.O_RDONLY | Native.O_CLOEXEC);
        if (fd < 0)
        {
            throw Native.Failure($"open {path}");
        }

        try
        {
            if (Native.Sync(fd) != 0)
            {
                throw Native.Failure($"fsync {path}");
            }
        }
        finally
        {
            _ = Native.Close(fd);
        }
    }
}
