namespace EdgeVirt.Linux.Files;

/// <summary>What an entry of a tree carries beside its name and content.</summary>
public sealed record EntryMetadata
{
    /// <summary>Permission bits with setuid, setgid and sticky: 0 to 0xFFF (07777).</summary>
    public required uint Mode { get; init; }

    /// <summary>Owner.</summary>
    public uint User { get; init; }

    /// <summary>Group.</summary>
    public uint Group { get; init; }

    /// <summary>Time of last change, in seconds since 1970; may be negative.</summary>
    public long ModifiedSeconds { get; init; }

    /// <summary>0 to 999,999,999, added to <see cref="ModifiedSeconds"/>.</summary>
    public int ModifiedNanoseconds { get; init; }

    /// <summary>Extended attributes by full name (<c>user.x</c>, <c>security.capability</c>).</summary>
    public IReadOnlyList<ExtendedAttribute> Attributes { get; init; } = [];
}

/// <summary>One extended attribute.</summary>
public readonly record struct ExtendedAttribute(string Name, byte[] Value);
