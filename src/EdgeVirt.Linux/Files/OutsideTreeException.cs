using System.Text;

namespace EdgeVirt.Linux.Files;

/// <summary>A name would have led out of a <see cref="ConfinedTree"/>, or through something that is no directory in it. Nothing was touched.</summary>
public sealed class OutsideTreeException(ReadOnlySpan<byte> path, string why, bool throughSymlink = false)
    : IOException($"'{Encoding.UTF8.GetString(path)}': {why}")
{
    /// <summary>Whether a symbolic link lay on the way.</summary>
    public bool ThroughSymlink { get; } = throughSymlink;
}
