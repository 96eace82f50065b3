using System.Net;

namespace EdgeVirt.Hub;

/// <summary>How one hub runs. Read once at start by <see cref="HubOptionsReader"/>.</summary>
internal sealed record HubOptions
{
    /// <summary>Absolute path of the directory that holds everything the hub knows.</summary>
    public required string DataDir { get; init; }

    /// <summary>Addresses on which all three ports listen.</summary>
    public IReadOnlyList<IPAddress> Listen { get; init; } = [IPAddress.Any];

    /// <summary>REST API: TLS with the hub's certificate, bearer tokens. 0: any free port.</summary>
    public int ApiPort { get; init; } = 8443;

    /// <summary>gRPC for nodes: TLS, client certificates. 0: any free port.</summary>
    public int NodePort { get; init; } = 8444;

    /// <summary>MQTT for nodes: TLS, client certificates. 0: any free port.</summary>
    public int MqttPort { get; init; } = 8883;

    /// <summary>Names and addresses by which nodes and people reach this hub; they go into its certificate.</summary>
    public IReadOnlyList<string> Advertise { get; init; } = [];

    /// <summary>Days that telemetry is kept; 0: without end.</summary>
    public int TelemetryRetentionDays { get; init; } = 30;

    /// <summary>GiB that telemetry may take up before the oldest is deleted; 0: without limit.</summary>
    public int TelemetryMaxGib { get; init; } = 10;

    /// <summary>GiB that backups of nodes' volumes may take up, after which new ones are refused; 0: without limit.</summary>
    public int VolumeBackupsMaxGib { get; init; } = 20;

    /// <summary>Make a new admin credential at this start; the former one ends.</summary>
    public bool ResetAdmin { get; init; }

    /// <summary>The resources and all else but telemetry: SQLite.</summary>
    public string DatabaseFile => Path.Combine(DataDir, "hub.db");

    /// <summary>Telemetry: DuckDB.</summary>
    public string TelemetryFile => Path.Combine(DataDir, "telemetry.duckdb");

    /// <summary>The authority's and the server's keys and certificates.</summary>
    public string PkiDirectory => Path.Combine(DataDir, "pki");

    /// <summary>The key under which confidential values lie in the database; mode 0600.</summary>
    public string SecretsKeyFile => Path.Combine(DataDir, "secrets.key");

    /// <summary>The admin credential as made at the first start; mode 0600.</summary>
    public string AdminTokenFile => Path.Combine(DataDir, "admin.token");

    /// <summary>The ports in use, for scripts and tests that asked for any free one.</summary>
    public string EndpointsFile => Path.Combine(DataDir, "endpoints.json");
}

/// <summary>The command line, the environment or the settings file say something that cannot be.</summary>
internal sealed class HubOptionsException(string message) : Exception(message);
