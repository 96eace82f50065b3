using System.Text;
using Microsoft.Win32.SafeHandles;
using static EdgeVirt.Linux.Files.FileCalls;

namespace EdgeVirt.Linux.Files;

/// <summary>Sets ownership, mode, extended attributes and times, in the order in which none undoes another.</summary>
internal static unsafe class EntryAttributes
{
    public static void Apply(SafeFileHandle file, EntryMetadata metadata)
    {
        Check(ChangeOwner(file, metadata.User, metadata.Group), "chown");
        Check(ChangeMode(file, metadata.Mode & 0xFFF), "chmod");
        foreach (var attribute in metadata.Attributes)
        {
            Set(file, attribute.Name, attribute.Value);
        }

        var times = Times(metadata);
        fixed (Timespec* pointer = times)
        {
            Check(SetTimes(file, pointer), "utimens");
        }
    }

    /// <summary>For what cannot be opened: symbolic links, fifos and devices.</summary>
    public static void ApplyAt(SafeFileHandle directory, ReadOnlySpan<byte> name, EntryMetadata metadata, bool isSymlink)
    {
        var terminated = Terminated(name);
        Check(ChangeOwnerAt(directory, terminated, metadata.User, metadata.Group, AtSymlinkNoFollow), "chown");
        if (!isSymlink)
        {
            Check(ChangeModeAt(directory, terminated, metadata.Mode & 0xFFF, 0), "chmod");
        }

        foreach (var attribute in metadata.Attributes)
        {
            byte[] path = [.. Encoding.ASCII.GetBytes($"/proc/self/fd/{directory.DangerousGetHandle()}/"), .. terminated];
            Accept(SetAttributeNoFollow(path, Encoding.Latin1.GetBytes(attribute.Name + '\0'), attribute.Value, (nuint)attribute.Value.Length, 0), attribute.Name);
        }

        fixed (Timespec* pointer = Times(metadata))
        {
            Check(SetTimesAt(directory, terminated, pointer, AtSymlinkNoFollow), "utimens");
        }
    }

    public static void Set(SafeFileHandle file, string name, byte[] value) =>
        Accept(SetAttribute(file, Encoding.Latin1.GetBytes(name + '\0'), value, (nuint)value.Length, 0), name);

    public static void RestoreTimes(SafeFileHandle directory, in Stat before)
    {
        Timespec[] times =
        [
            new() { Seconds = before.AccessSeconds, Nanoseconds = before.AccessNanoseconds },
            new() { Seconds = before.ModifySeconds, Nanoseconds = before.ModifyNanoseconds },
        ];
        fixed (Timespec* pointer = times)
        {
            Check(SetTimes(directory, pointer), "utimens");
        }
    }

    private static Timespec[] Times(EntryMetadata metadata)
    {
        var time = new Timespec { Seconds = metadata.ModifiedSeconds, Nanoseconds = metadata.ModifiedNanoseconds };
        return [time, time];
    }

    /// <summary>
    /// A file system without the attribute's kind (labels on tmpfs, say) is no reason to do without the image;
    /// what changes what a program may do, or what is visible, is.
    /// </summary>
    private static void Accept(int returned, string name)
    {
        var error = Result(returned);
        if (error == EOPNOTSUPP && name is not "security.capability" && !name.StartsWith("trusted.overlay.", StringComparison.Ordinal))
        {
            return;
        }

        if (error != 0)
        {
            throw new LinuxException($"setxattr {name}", error);
        }
    }

    private static void Check(int returned, string operation)
    {
        if (Result(returned) is var error and not 0)
        {
            throw new LinuxException(operation, error);
        }
    }
}
