using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Boards;

/// <summary>What was last read of the board. Thread-safe.</summary>
internal sealed class BoardReading(BoardFiles files)
{
    private volatile IReadOnlyList<StorageDevice>? storage;

    /// <summary>Does not change while the agent runs.</summary>
    public NodeImage? Image { get; } = files.Image();

    /// <summary>Does not change while the agent runs.</summary>
    public NodeFirmware? Firmware { get; } = files.Firmware();

    /// <summary>Null until they were looked at.</summary>
    public IReadOnlyList<StorageDevice>? Storage => storage;

    /// <summary>Looks at the storage devices.</summary>
    public async Task<IReadOnlyList<StorageDevice>> ReadStorageAsync(SmartReading smart, CancellationToken ct)
    {
        List<StorageDevice> read = [];
        foreach (var device in files.Storage())
        {
            read.Add(await smart.ReadAsync(device, ct));
        }

        storage = read;
        return read;
    }

    /// <summary>The part of each device's life that is left, by OpenTelemetry's semantic conventions for hardware.</summary>
    public void Sample(Telemetry.SampleSink sink)
    {
        foreach (var device in storage ?? [])
        {
            if (device.LifeUsedPercent is { } used)
            {
                sink.Add("hw.physical_disk.endurance_utilization", Math.Max(0, 100 - used) / 100.0, "hw.id", device.Name, "hw.physical_disk.state", "remaining");
            }
        }
    }
}
