using System.Globalization;
using System.Net;

namespace EdgeVirt.Hub;

/// <summary>
/// Reads <see cref="HubOptions"/>: first the command line (<c>--api-port 8443</c>), then the environment
/// (<c>EDGEVIRT_HUB_API_PORT</c>), then <c>Hub:api-port</c> of appsettings.json.
/// </summary>
internal sealed class HubOptionsReader
{
    public const string Usage =
        """
        edgevirt-hub [options]
          --data-dir DIR       everything the hub knows (./edgevirt-hub)
          --listen ADDRESS     address to listen on; may be repeated (0.0.0.0)
          --api-port PORT      REST API (8443; 0: any free port, see endpoints.json in the data directory)
          --node-port PORT     gRPC for nodes (8444)
          --mqtt-port PORT     MQTT for nodes (8883)
          --advertise HOST,…   names and addresses by which the hub is reached, for its certificate
          --telemetry-retention-days DAYS
                               how long telemetry is kept (30; 0: without end)
          --telemetry-max-gib GIB
                               what telemetry may take up before the oldest is deleted (10; 0: without limit)
          --volume-backups-max-gib GIB
                               what backups of volumes may take up before new ones are refused (20; 0: without limit)
          --reset-admin        make a new admin credential; the former one ends
          --version, --help
        Each option may also be in the environment (EDGEVIRT_HUB_DATA_DIR) or in appsettings.json ("Hub": {"data-dir": …}).
        """;

    private const int MostDays = 36_500;
    private const int MostGib = 1 << 20;

    private static readonly HashSet<string> Known =
    [
        "data-dir", "listen", "api-port", "node-port", "mqtt-port", "advertise", "telemetry-retention-days", "telemetry-max-gib", "volume-backups-max-gib", "reset-admin",
    ];

    private readonly Dictionary<string, List<string>> given = [];
    private readonly Func<string, string?> environment;
    private readonly Func<string, string?> settings;

    private HubOptionsReader(IReadOnlyList<string> args, Func<string, string?> environment, Func<string, string?> settings)
    {
        this.environment = environment;
        this.settings = settings;
        for (var i = 0; i < args.Count; i++)
        {
            var (name, value) = Split(args[i]);
            if (name != "reset-admin" && value is null && ++i == args.Count)
            {
                throw new HubOptionsException($"--{name} needs a value.");
            }

            if (!given.TryGetValue(name, out var values))
            {
                given[name] = values = [];
            }

            values.Add(value ?? (name == "reset-admin" ? "true" : args[i]));
        }
    }

    /// <exception cref="HubOptionsException">An option is unknown or its value is out of range.</exception>
    public static HubOptions Read(IReadOnlyList<string> args, Func<string, string?> environment, Func<string, string?> settings) =>
        new HubOptionsReader(args, environment, settings).Read();

    private static (string Name, string? Value) Split(string argument)
    {
        var name = argument.StartsWith("--", StringComparison.Ordinal) ? argument[2..] : "";
        var equals = name.IndexOf('=', StringComparison.Ordinal);
        var value = equals < 0 ? null : name[(equals + 1)..];
        name = equals < 0 ? name : name[..equals];
        return Known.Contains(name)
            ? (name, value)
            : throw new HubOptionsException($"'{argument}' is not an option. See edgevirt-hub --help.");
    }

    private HubOptions Read()
    {
        var defaults = new HubOptions { DataDir = "" };
        return defaults with
        {
            DataDir = Path.GetFullPath(Values("data-dir") is [.., var directory] ? directory : "edgevirt-hub"),
            Listen = Values("listen") is { Count: > 0 } addresses ? [.. addresses.Select(Address).Distinct()] : defaults.Listen,
            ApiPort = Number("api-port", defaults.ApiPort, IPEndPoint.MaxPort),
            NodePort = Number("node-port", defaults.NodePort, IPEndPoint.MaxPort),
            MqttPort = Number("mqtt-port", defaults.MqttPort, IPEndPoint.MaxPort),
            Advertise = [.. Values("advertise").Select(Host).Distinct()],
            TelemetryRetentionDays = Number("telemetry-retention-days", defaults.TelemetryRetentionDays, MostDays),
            TelemetryMaxGib = Number("telemetry-max-gib", defaults.TelemetryMaxGib, MostGib),
            VolumeBackupsMaxGib = Number("volume-backups-max-gib", defaults.VolumeBackupsMaxGib, MostGib),
            ResetAdmin = Values("reset-admin") is [.., var reset] && (bool.TryParse(reset, out var yes)
                ? yes
                : throw new HubOptionsException($"reset-admin must be true or false, is '{reset}'.")),
        };
    }

    private List<string> Values(string name)
    {
        var values = given.GetValueOrDefault(name)
            ?? (environment("EDGEVIRT_HUB_" + name.Replace('-', '_').ToUpperInvariant()) ?? settings("Hub:" + name)) switch
            {
                null or "" => [],
                var text => [text],
            };
        return name is "listen" or "advertise"
            ? [.. values.SelectMany(value => value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))]
            : values;
    }

    private int Number(string name, int otherwise, int most) => Values(name) is not [.., var text]
        ? otherwise
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= most
            ? number
            : throw new HubOptionsException($"{name} must be between 0 and {most}, is '{text}'.");

    private static IPAddress Address(string text) => text == "localhost"
        ? IPAddress.Loopback
        : IPAddress.TryParse(text, out var address)
            ? address
            : throw new HubOptionsException($"listen takes addresses such as 0.0.0.0, :: or 192.168.1.10, not '{text}'.");

    private static string Host(string text) => Uri.CheckHostName(text) != UriHostNameType.Unknown
        ? text
        : throw new HubOptionsException($"advertise takes names and addresses without a port, not '{text}'.");
}
