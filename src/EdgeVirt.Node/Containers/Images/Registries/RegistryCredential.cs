namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>What one registry lets this node in with. A class, not a record, so that nothing ever prints what it holds.</summary>
internal sealed class RegistryCredential
{
    public required string Username { get; init; }

    public string Password { get; init; } = "";

    /// <summary>An OAuth2 refresh token, which the registry's token service takes instead of a password; null: there is none.</summary>
    public string? IdentityToken { get; init; }

    public override string ToString() => nameof(RegistryCredential);
}

/// <summary>The credentials that a workload brings along for its images.</summary>
internal sealed class RegistryKeychain(params IReadOnlyList<DockerConfig> configs)
{
    public static RegistryKeychain Empty { get; } = new();

    /// <summary>All that fit a repository, to be tried in this order: Secrets as they are listed, in each the most exact entry first.</summary>
    public IReadOnlyList<RegistryCredential> For(string host, string repository) => [.. configs.SelectMany(config => config.For(host, repository))];
}
