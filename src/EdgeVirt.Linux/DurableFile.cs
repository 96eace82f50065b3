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

    /// <summary>Makes renames, creations and deletions in a directory durable.</summary>
    /// <exception cref="LinuxException">The directory cannot be opened or synced.</exception>
    public static void SyncDirectory(string dir)
    {
        var fd = Native.Open(dir, Native.O_RDONLY | Native.O_CLOEXEC);
        if (fd < 0)
        {
            throw Native.Failure($"open {dir}");
        }

        try
        {
            if (Native.Sync(fd) != 0)
            {
                throw Native.Failure($"fsync {dir}");
            }
        }
        finally
        {
            _ = Native.Close(fd);
        }
    }
}
