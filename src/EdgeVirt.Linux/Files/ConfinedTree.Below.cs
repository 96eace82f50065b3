using System.Text;
using Microsoft.Win32.SafeHandles;
using static EdgeVirt.Linux.Files.FileCalls;

namespace EdgeVirt.Linux.Files;

public sealed partial class ConfinedTree
{
    private static SafeFileHandle OpenRoot(string path) =>
        Handle(FileCalls.Open(Terminated(Encoding.UTF8.GetBytes(path)), OpenDirectoryFlags, 0), "open", path);

    private void LookLikeBelow(SafeFileHandle made, ReadOnlySpan<byte> path)
    {
        foreach (var below in _below)
        {
            using var root = new ConfinedTree(OpenRoot(below), []);
            using var twin = root.OpenTwinOrNull(path, out var mayLieDeeper);
            if (twin is not null)
            {
                Check(Status(twin, default, out var stat), "stat", path);
                EntryAttributes.Apply(made, new EntryMetadata
                {
                    Mode = stat.Mode & 0xFFFu,
                    User = stat.User,
                    Group = stat.Group,
                    ModifiedSeconds = stat.ModifySeconds,
                    ModifiedNanoseconds = (int)stat.ModifyNanoseconds,
                });
                return;
            }

            if (!mayLieDeeper)
            {
                return;
            }
        }
    }

    /// <summary>A file, link or whiteout of the name hides what lies below it.</summary>
    private SafeFileHandle? OpenTwinOrNull(ReadOnlySpan<byte> path, out bool mayLieDeeper)
    {
        mayLieDeeper = true;
        try
        {
            return WalkOrNull(path);
        }
        catch (OutsideTreeException)
        {
            mayLieDeeper = false;
            return null;
        }
    }
}
