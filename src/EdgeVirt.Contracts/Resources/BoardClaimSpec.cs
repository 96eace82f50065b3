namespace EdgeVirt.Contracts.Resources;

/// <summary>Leave for boards to become nodes, by a token that is shown once.</summary>
public sealed record BoardClaimSpec
{
    /// <summary>How many boards may use the token: 1 (the default) to 10,000.</summary>
    // The generated reader gives init properties that the text leaves out their type's default, not this one.
    public int MaxUses { get; set; } = 1;

    /// <summary>When the token ends; absent: 24 hours after the claim was made.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Labels that the nodes get.</summary>
    public IReadOnlyDictionary<string, string>? NodeLabels { get; init; }

    /// <summary>Ends the token at once, without losing the record of who used it.</summary>
    public bool Revoked { get; init; }
}

/// <summary>What became of a claim.</summary>
public sealed record BoardClaimStatus
{
    /// <summary>How often the token was used.</summary>
    public int Uses { get; init; }

    /// <summary>The nodes that it made, in order.</summary>
    public IReadOnlyList<string> Nodes { get; init => field = value ?? []; } = [];
}
