using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Boards;

/// <summary>Judges storage devices.</summary>
internal static class StorageWear
{
    /// <summary>From here on a device is to be replaced, percent of its life.</summary>
    public const int WornPercent = 80;

    /// <summary>The condition <see cref="ConditionTypes.StorageWorn"/>.</summary>
    public static (ConditionStatus Status, string Reason, string? Message) Judge(IReadOnlyList<StorageDevice> devices)
    {
        foreach (var device in devices)
        {
            var name = device.Model is { } model ? $"{device.Name} ({model})" : device.Name;
            if (device.IsHealthy == false)
            {
                return (ConditionStatus.True, StorageWornReasons.SelfTestFailed, $"{name} says of itself that it is failing (SMART): replace it now.");
            }

            if (device.Spare == "urgent")
            {
                return (ConditionStatus.True, StorageWornReasons.SpareUsed, $"{name} has used 90 % of its spare blocks: replace it soon.");
            }

            if (device.LifeUsedPercent >= WornPercent)
            {
                return (ConditionStatus.True, StorageWornReasons.LifeUsed, $"{name} has used {device.LifeUsedPercent} % of its life: replace it in time.");
            }
        }

        return devices.Any(device => device is not { LifeUsedPercent: null, Spare: null, IsHealthy: null })
            ? (ConditionStatus.False, StorageWornReasons.NotWorn, null)
            : (ConditionStatus.Unknown, StorageWornReasons.NotKnown, "No storage device of the node says how worn it is.");
    }
}
