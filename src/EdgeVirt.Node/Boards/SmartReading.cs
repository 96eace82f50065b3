using System.Text.Json;
using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.Boards;

/// <summary>Runs a program and gives its output; throws <see cref="ProcessFailedException"/> where it does not start or takes too long.</summary>
internal delegate Task<string> RunTool(string file, IReadOnlyList<string> args, CancellationToken ct);

/// <summary>What disks say of their health (SMART), by smartmontools where they are installed.</summary>
internal sealed class SmartReading(RunTool run)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    // Asking a SATA disk takes CAP_SYS_RAWIO, which the agent has given up: systemd runs the tool outside the agent's unit.
    private static readonly string[] Outside = ["--quiet", "--collect", "--wait", "--pipe", "--property=RuntimeMaxSec=25", "smartctl"];

    /// <summary>By the programs of this machine.</summary>
    public static SmartReading OfMachine { get; } = new(async (file, args, ct) =>
        (await (Directory.Exists("/run/systemd/system")
            ? ProcessRunner.RunAsync("systemd-run", [.. Outside, .. args], Patience, ct: ct, check: false)
            : ProcessRunner.RunAsync(file, args, Patience, ct: ct, check: false))).Output);

    /// <summary>A device with what it says; as it was where it says nothing. A disk that sleeps is left asleep.</summary>
    public async Task<StorageDevice> ReadAsync(StorageDevice device, CancellationToken ct)
    {
        if (device.Kind is not (StorageKind.Nvme or StorageKind.Scsi))
        {
            return device;
        }

        try
        {
            var output = await run("smartctl", ["--json=c", "--nocheck=standby", "--info", "--health", "--attributes", $"/dev/{device.Name}"], ct);
            return JsonNode.Parse(output) is JsonObject said ? With(device, said) : device;
        }
        catch (Exception e) when (e is ProcessFailedException or JsonException or InvalidOperationException or FormatException)
        {
            return device;
        }
    }

    private static StorageDevice With(StorageDevice device, JsonObject said) => device with
    {
        Model = (string?)said["model_name"] ?? device.Model,
        SerialNumber = (string?)said["serial_number"] ?? device.SerialNumber,
        Firmware = (string?)said["firmware_version"] ?? device.Firmware,
        IsHealthy = (bool?)said["smart_status"]?["passed"] ?? device.IsHealthy,
        LifeUsedPercent = (int?)said["endurance_used"]?["current_percent"]
            ?? (int?)said["nvme_smart_health_information_log"]?["percentage_used"]
            ?? Attribute(said["ata_smart_attributes"]?["table"] as JsonArray)
            ?? device.LifeUsedPercent,
    };

    // The number of an attribute means another thing with each maker; its name, by the tool's data base, tells. Such values fall from 100.
    private static int? Attribute(JsonArray? table)
    {
        foreach (var attribute in table ?? [])
        {
            if ((string?)attribute?["name"] is "SSD_Life_Left" or "Media_Wearout_Indicator" or "Percent_Lifetime_Remain" or "Wear_Leveling_Count" or "Remaining_Lifetime_Perc"
                && (int?)attribute["value"] is { } left and >= 0 and <= 100)
            {
                return 100 - left;
            }
        }

        return null;
    }
}
