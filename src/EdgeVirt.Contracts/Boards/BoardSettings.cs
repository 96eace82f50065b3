namespace EdgeVirt.Contracts.Boards;

/// <summary>
/// What one board is told before it boots for the first time: <c>edgevirt/settings.json</c> on the first partition of its card. The image has the
/// file with <see cref="FileBytes"/> bytes, so that a flasher overwrites it where it lies and a person can edit it on any laptop. JSON, UTF-8,
/// filled up with spaces and line ends. Everything may be left out.
/// </summary>
public sealed record BoardSettings
{
    /// <summary>Directory of the file on the first partition, a FAT file system.</summary>
    public const string DirectoryName = "edgevirt";

    /// <summary>Name of the file.</summary>
    public const string FileName = "settings.json";

    /// <summary>Bytes that the file has in every image.</summary>
    public const int FileBytes = 16 << 10;

    /// <summary>host:port of the hub's node port.</summary>
    public string? Hub { get; init; }

    /// <summary>Text of a <see cref="EdgeVirt.Contracts.ClaimToken"/>, which pins the hub's authority. The board takes it out of the file once it has it.</summary>
    public string? ClaimToken { get; init; }

    /// <summary>The name asked for at enrollment, and the host name; absent: the hub chooses.</summary>
    public string? NodeName { get; init; }

    /// <summary>When the card was written: the board's clock is never earlier, so that certificates hold without a clock chip.</summary>
    public DateTimeOffset? FlashedAt { get; init; }

    /// <summary>Interfaces with a cable. Those that are not named ask DHCP.</summary>
    public IReadOnlyList<EthernetSettings>? Ethernet { get; init; }

    /// <summary>The wireless network to join.</summary>
    public WifiSettings? Wifi { get; init; }

    /// <summary>The cellular network to join.</summary>
    public CellularSettings? Cellular { get; init; }

    /// <summary>Servers of the time, names or addresses; absent: those of DHCP, then Debian's pool.</summary>
    public IReadOnlyList<string>? TimeServers { get; init; }

    /// <summary>How registries of the site are reached, by the host that images name.</summary>
    public IReadOnlyDictionary<string, RegistrySettings>? Registries { get; init; }

    /// <summary>Lines of authorized_keys for root. Only the debug image has an SSH server; the others say that they ignore it.</summary>
    public IReadOnlyList<string>? SshAuthorizedKeys { get; init; }
}

/// <summary>A registry of the site, which the agent would not find by its name alone.</summary>
public sealed record RegistrySettings
{
    /// <summary>Base address, http or https.</summary>
    public required string Url { get; init; }
}

/// <summary>A static address.</summary>
public sealed record EthernetSettings
{
    /// <summary>Name or pattern of the interface, such as <c>eth0</c> or <c>en*</c>; absent: every interface with a cable.</summary>
    public string? Interface { get; init; }

    /// <summary>Addresses with prefix length, IPv4 or IPv6.</summary>
    public IReadOnlyList<string> Addresses { get; init => field = value ?? []; } = [];

    /// <summary>Address of the way out.</summary>
    public string? Gateway { get; init; }

    /// <summary>Addresses of name servers.</summary>
    public IReadOnlyList<string>? NameServers { get; init; }
}

/// <summary>A wireless network.</summary>
public sealed record WifiSettings
{
    /// <summary>Its name, 1 to 32 bytes of UTF-8.</summary>
    public required string Ssid { get; init; }

    /// <summary>8 to 63 characters of ASCII, or 64 hexadecimal digits; absent: an open network.</summary>
    public string? Passphrase { get; init; }

    /// <summary>ISO 3166 code of the country whose radio rules hold, such as <c>NO</c>.</summary>
    public required string Country { get; init; }
}

/// <summary>A cellular network.</summary>
public sealed record CellularSettings
{
    /// <summary>Access point name.</summary>
    public required string Apn { get; init; }

    /// <summary>User, where the network asks for one.</summary>
    public string? User { get; init; }

    /// <summary>Its password.</summary>
    public string? Password { get; init; }

    /// <summary>4 to 8 digits that unlock the SIM card.</summary>
    public string? Pin { get; init; }
}
