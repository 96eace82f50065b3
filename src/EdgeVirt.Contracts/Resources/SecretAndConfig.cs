namespace EdgeVirt.Contracts.Resources;

/// <summary>Small confidential values. Encrypted at rest on hub and node; the hub's API never gives them back.</summary>
public sealed record SecretSpec
{
    /// <summary>Values in base64.</summary>
    public IReadOnlyDictionary<string, byte[]>? Data { get; init; }

    /// <summary>Values as text; the hub moves them into <see cref="Data"/>.</summary>
    public IReadOnlyDictionary<string, string>? StringData { get; init; }
}

/// <summary>Small values that are not confidential.</summary>
public sealed record ConfigSpec
{
    /// <summary>Values as text.</summary>
    public IReadOnlyDictionary<string, string> Data { get; init => field = value ?? new Dictionary<string, string>(); } = new Dictionary<string, string>();
}
