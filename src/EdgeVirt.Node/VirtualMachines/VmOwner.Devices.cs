using System.Text.Json.Nodes;
using EdgeVirt.Node.VirtualMachines.Devices;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Qmp;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>Devices of the node that come and go while the machine runs.</summary>
internal sealed partial class VmOwner
{
    private static readonly TimeSpan PlugPause = TimeSpan.FromMinutes(1);

    // Devices that QEMU did not take, and when it is asked again.
    private readonly Dictionary<string, DateTimeOffset> refused = [];

    // USB devices that were unplugged go from the guest, and those that are back come to it.
    private async Task TendDevicesAsync(CancellationToken ct)
    {
        foreach (var wanted in record!.Pluggable)
        {
            var here = tools.Devices.FindUsb(wanted, record);
            var had = record.Devices.FirstOrDefault(device => device.Name == wanted.Name);
            if (had is not null && had.Id != here?.Id)
            {
                await UnplugAsync(had, ct);
                had = record.Devices.FirstOrDefault(device => device.Name == wanted.Name);
            }

            if (had is null && here is not null && !(refused.GetValueOrDefault(here.Id) > tools.Time.GetUtcNow()))
            {
                await PlugAsync(here, ct);
            }
        }
    }

    private async Task UnplugAsync(VmDevice device, CancellationToken ct)
    {
        try
        {
            await watch!.Monitor.ExecuteAsync("device_del", new JsonObject { ["id"] = QemuHostDevices.IdOf(device.Name) }, ct: ct);
        }
        catch (QmpCommandException e)
        {
            // QEMU does not have it: where plugging it in failed, or of an earlier try.
            LogDevice(tools.Log, name, device.Id, e.Message);
        }
        catch (QmpException e)
        {
            LogDevice(tools.Log, name, device.Id, e.Message);
            return;
        }

        record = tools.Devices.Detach(record!, device.Name, VmPaths.Of(tools.Options, record!.Id));
        LogUnplugged(tools.Log, name, device.Id);
    }

    private async Task PlugAsync(HostDevice.Usb device, CancellationToken ct)
    {
        var paths = VmPaths.Of(tools.Options, record!.Id);
        try
        {
            record = tools.Devices.Attach(record, device, paths);
            await watch!.Monitor.ExecuteAsync("device_add", QemuHostDevices.Usb(device, paths), ct: ct);
            refused.Remove(device.Id);
            LogPlugged(tools.Log, name, device.Id);
        }
        catch (Exception e) when (e is QmpException or QmpCommandException or IOException or VmNotReadyException)
        {
            LogDevice(tools.Log, name, device.Id, e.Message);
            refused[device.Id] = tools.Time.GetUtcNow() + PlugPause;
            record = tools.Devices.Detach(tools.Records.All.First(one => one.Id == record.Id), device.Name, paths);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Virtual machine {Name} lost {Device}: it was unplugged")]
    private static partial void LogUnplugged(ILogger log, string name, string device);

    [LoggerMessage(Level = LogLevel.Information, Message = "Virtual machine {Name} got {Device}")]
    private static partial void LogPlugged(ILogger log, string name, string device);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Virtual machine {Name}, {Device}: {Problem}")]
    private static partial void LogDevice(ILogger log, string name, string device, string problem);
}
