using System.CommandLine;
using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli.Flash.Cards;

/// <summary>Options of <c>edgevirt flash</c> that say what is written on each card for its board. No secret is ever one of them: secrets come from files or standard input.</summary>
internal static class CardOptions
{
    public static Option<string?> Settings { get; } = Text("--settings", "file", "Settings as JSON to begin with, for instance those of another card; the options below go before them");
    public static Option<string?> Hub { get; } = Text("--hub", "host:port", "The hub's node port; without it that of the batch, or of the hub that is logged in at, port 8444");
    public static Option<string?> ClaimTokenFile { get; } = Text("--claim-token-file", "file", "File that holds a claim token for the cards; - is standard input");
    public static Option<string?> Tokens { get; } = Text("--tokens", "file", "Batch of 'edgevirt node claim create --count': each card takes a token of its own, without the hub");
    public static Option<bool> NoClaim { get; } = new("--no-claim") { Description = "No claim token: the boards wait until 'edgevirt node enroll' is called on them" };
    public static Option<TimeSpan?> ClaimLifetime { get; } = Durations.Option("--claim-ttl", "How long a token that is made at the hub can be used (24h)");
    public static Option<string?> NodeName { get; } = Text("--node-name", "name", "Name of the node and host; {n} is the card's number, {nn} with two digits");
    public static Option<int> FirstCard { get; } = new("--first-card") { Description = "Number of the first card, for {n}", HelpName = "n", DefaultValueFactory = _ => 1 };
    public static Option<string?> WifiSsid { get; } = Text("--wifi-ssid", "name", "Wireless network to join; needs --wifi-country");
    public static Option<string?> WifiPassphraseFile { get; } = Text("--wifi-passphrase-file", "file", "File that holds its passphrase; - is standard input");
    public static Option<string?> WifiCountry { get; } = Text("--wifi-country", "code", "Country whose radio rules hold, such as NO");
    public static Option<string?> Apn { get; } = Text("--apn", "name", "Access point of the cellular network");
    public static Option<string?> ApnUser { get; } = Text("--apn-user", "name", "User, where the cellular network asks for one");
    public static Option<string?> ApnPasswordFile { get; } = Text("--apn-password-file", "file", "File that holds the user's password; - is standard input");
    public static Option<string?> SimPinFile { get; } = Text("--sim-pin-file", "file", "File that holds the PIN of the SIM card; - is standard input");
    public static Option<string[]> Address { get; } = Texts("--address", "address/prefix", "Static address; {n} as in --node-name; may be given more than once");
    public static Option<string?> Gateway { get; } = Text("--gateway", "address", "Way out of the static address's network");
    public static Option<string[]> Dns { get; } = Texts("--dns", "address", "Name server; may be given more than once");
    public static Option<string?> Interface { get; } = Text("--interface", "name", "Interface that --address, --gateway and --dns are for, such as eth0 or en*; without it all with a cable");
    public static Option<string[]> TimeServer { get; } = Texts("--time-server", "host", "Server of the time; may be given more than once");
    public static Option<string[]> SshKey { get; } = Texts("--ssh-key", "file", "File of public keys for root; only debug images have an SSH server; may be given more than once");
    public static Option<string?> Label { get; } = Text("--label", "dir", "Directory for a label with a QR code per card, as SVG and PNG; - shows it on the terminal");

    /// <summary>All of them, for a command to add.</summary>
    public static IReadOnlyList<Option> All { get; } =
    [
        Settings, Hub, ClaimTokenFile, Tokens, NoClaim, ClaimLifetime, NodeName, FirstCard, WifiSsid, WifiPassphraseFile, WifiCountry, Apn, ApnUser, ApnPasswordFile, SimPinFile,
        Address, Gateway, Dns, Interface, TimeServer, SshKey, Label,
    ];

    private static Option<string?> Text(string name, string help, string description) => new(name) { Description = description, HelpName = help };

    private static Option<string[]> Texts(string name, string help, string description) => new(name) { Description = description, HelpName = help };
}
