using System.Text;
using static EdgeVirt.Linux.Files.FileCalls;

namespace EdgeVirt.Linux.Files;

/// <summary>What is at a path.</summary>
public enum EntryKind
{
    /// <summary>Nothing, or nothing that can be looked at.</summary>
    Nothing,

    /// <summary>A regular file.</summary>
    File,

    /// <summary>A directory.</summary>
    Directory,

    /// <summary>A symbolic link, a device, a fifo or a socket.</summary>
    Other,
}

/// <summary>Tells what is at a path.</summary>
public static class EntryKinds
{
    /// <summary>What is there; a symbolic link at the path's end is not followed.</summary>
    public static EntryKind Of(string path) =>
        Status(Encoding.UTF8.GetBytes(path), out var stat) != 0 ? EntryKind.Nothing
        : stat.Type == TypeRegular ? EntryKind.File
        : stat.Type == TypeDirectory ? EntryKind.Directory
        : EntryKind.Other;
}
