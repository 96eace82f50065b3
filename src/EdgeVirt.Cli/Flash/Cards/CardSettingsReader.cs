using EdgeVirt.Cli.Commands;
using EdgeVirt.Contracts.Boards;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Flash.Cards;

/// <summary>Puts a card's settings together from options, files, and a base. <c>{n}</c> still stands in them.</summary>
internal sealed class CardSettingsReader(Invocation invocation)
{
    private readonly CardSecrets secrets = new(invocation);

    public async Task<BoardSettings> ReadAsync(CancellationToken ct)
    {
        var settings = invocation.Get(CardOptions.Settings) is { } file ? await BaseAsync(file, ct) : new BoardSettings();
        return settings with
        {
            Hub = invocation.Get(CardOptions.Hub) ?? settings.Hub,
            ClaimToken = await secrets.ReadAsync(CardOptions.ClaimTokenFile, ct) ?? (invocation.Get(CardOptions.NoClaim) ? null : settings.ClaimToken),
            NodeName = invocation.Get(CardOptions.NodeName) ?? settings.NodeName,
            FlashedAt = invocation.Terminal.Now,
            Ethernet = Ethernet() is { } cable ? [.. (settings.Ethernet ?? []).Where(other => other.Interface != cable.Interface), cable] : settings.Ethernet,
            Wifi = await WifiAsync(settings.Wifi, ct),
            Cellular = await CellularAsync(settings.Cellular, ct),
            TimeServers = Given(invocation.Get(CardOptions.TimeServer)) ?? settings.TimeServers,
            SshAuthorizedKeys = await KeysAsync(ct) ?? settings.SshAuthorizedKeys,
        };
    }

    private static async Task<BoardSettings> BaseAsync(string file, CancellationToken ct)
    {
        var read = BoardSettingsFile.Read(await CardSecrets.ReadFileAsync(file, ct));
        return read.Value ?? throw new CliException(ExitCodes.Invalid, $"'{file}' holds no valid settings.", "Change the fields below.") { Errors = read.Errors };
    }

    private EthernetSettings? Ethernet()
    {
        var (addresses, servers) = (Given(invocation.Get(CardOptions.Address)), Given(invocation.Get(CardOptions.Dns)));
        var (gateway, name) = (invocation.Get(CardOptions.Gateway), invocation.Get(CardOptions.Interface));
        if (addresses is null && servers is null && gateway is null)
        {
            return name is null ? null : throw new CliException(ExitCodes.Usage, "--interface alone says nothing.", "Give --address or --dns with it; without them the interface asks DHCP.");
        }

        return new EthernetSettings { Interface = name, Addresses = addresses ?? [], Gateway = gateway, NameServers = servers };
    }

    private async Task<WifiSettings?> WifiAsync(WifiSettings? before, CancellationToken ct)
    {
        var (ssid, country) = (invocation.Get(CardOptions.WifiSsid) ?? before?.Ssid, invocation.Get(CardOptions.WifiCountry) ?? before?.Country);
        // A passphrase belongs to one network.
        var passphrase = await secrets.ReadAsync(CardOptions.WifiPassphraseFile, ct) ?? (ssid == before?.Ssid ? before?.Passphrase : null);
        if (ssid is null)
        {
            return country is null && passphrase is null ? null : throw new CliException(ExitCodes.Usage, "which wireless network is meant?", "Give --wifi-ssid.");
        }

        return country is null
            ? throw new CliException(ExitCodes.Usage, "in which country will the board use its radio?", "Give --wifi-country, such as NO; without it channels that are allowed there may be shut.")
            : new WifiSettings { Ssid = ssid, Country = country, Passphrase = passphrase };
    }

    private async Task<CellularSettings?> CellularAsync(CellularSettings? before, CancellationToken ct)
    {
        var apn = invocation.Get(CardOptions.Apn) ?? before?.Apn;
        var (user, password, pin) = (
            invocation.Get(CardOptions.ApnUser) ?? before?.User,
            await secrets.ReadAsync(CardOptions.ApnPasswordFile, ct) ?? before?.Password,
            await secrets.ReadAsync(CardOptions.SimPinFile, ct) ?? before?.Pin);
        if (apn is null)
        {
            return (user ?? password ?? pin) is null ? null : throw new CliException(ExitCodes.Usage, "which cellular network is meant?", "Give --apn.");
        }

        return new CellularSettings { Apn = apn, User = user, Password = password, Pin = pin };
    }

    private async Task<IReadOnlyList<string>?> KeysAsync(CancellationToken ct)
    {
        var keys = new List<string>();
        foreach (var file in invocation.Get(CardOptions.SshKey) ?? [])
        {
            var text = System.Text.Encoding.UTF8.GetString(await CardSecrets.ReadFileAsync(file, ct));
            if (text.Contains("PRIVATE KEY", StringComparison.Ordinal))
            {
                throw new CliException(ExitCodes.Invalid, $"'{file}' holds a private key, which must not be on a card.", "Give the file beside it that ends with .pub.");
            }

            var lines = text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Where(line => line[0] != '#').ToList();
            var v = new Validation();
            BoardSettingsValidation.Validate(new BoardSettings { SshAuthorizedKeys = lines }, v);
            if (lines.Count == 0 || !v.IsValid)
            {
                throw new CliException(ExitCodes.Invalid, $"'{file}' holds no public keys.", "Each line is 'ssh-ed25519 AAAA… comment', as in a file that ends with .pub.");
            }

            keys.AddRange(lines);
        }

        return keys.Count == 0 ? null : keys;
    }

    private static string[]? Given(string[]? words) => words is { Length: > 0 } ? words : null;
}
