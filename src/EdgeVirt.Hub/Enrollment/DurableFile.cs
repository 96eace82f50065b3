namespace EdgeVirt.Hub.Enrollment;

/// <summary>Files that are whole after a power cut: the old content or the new, never a part of either.</summary>
internal static class DurableFile
{
    public const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    public const UnixFileMode Public = Private | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    public static void Write(string path, ReadOnlySpan<byte> bytes, UnixFileMode mode)
    {
        var temporary = path + ".tmp";
        File.Delete(temporary);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.Delete };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = mode;
        }

        using var stream = new FileStream(temporary, options);
        stream.Write(bytes);
        stream.Flush(flushToDisk: true);
        File.Move(temporary, path, overwrite: true);

        // Managed code cannot open a directory to sync it. Syncing the file once more under its new name
        // commits the journal entry of the rename with it.
        stream.Flush(flushToDisk: true);
    }
}
