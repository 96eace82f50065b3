using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Devices;
using EdgeVirt.Node.Containers.Volumes;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>What workloads want of the node itself: devices, and parts of its file system.</summary>
internal sealed partial class OciRuntime
{
    private readonly DefaultAppArmorProfile defaultProfile = new(log);

    public string? DefaultAppArmorProblem => defaultProfile.Problem;

    public WorkloadProblem? ProblemOf(PodSpec template)
    {
        var volumes = (template.Volumes ?? []).Where(volume => volume.HostPath is not null).ToDictionary(volume => volume.Name, volume => HostPaths.Normal(volume.HostPath!.Path));
        foreach (var container in template.AllContainers())
        {
            foreach (var mount in (container.VolumeMounts ?? []).Where(mount => volumes.ContainsKey(mount.Name)))
            {
                if (parts.HostPaths.Refusal(volumes[mount.Name], mount.ReadOnly) is { } refusal)
                {
                    return new(ReadyReasons.HostPathRefused, $"volume '{mount.Name}': {refusal}");
                }
            }

            try
            {
                parts.Devices.FindAll(container.Devices);
            }
            catch (Exception e) when (e is DeviceMissingException or IOException)
            {
                return new(ReadyReasons.DeviceMissing, $"container '{container.Name}': {e.Message}; it starts as soon as the device is there");
            }
        }

        return null;
    }

    private async Task<RuntimeFeatures> FeaturesForAsync(ContainerStart start, CancellationToken ct)
    {
        var isWanted = HasAppArmor && AppArmor.NeedsDefault(start.Spec.SecurityContext, start.Target.Template.SecurityContext);
        return isWanted && await defaultProfile.EnsureAsync(ct) ? Features with { DefaultAppArmorProfile = DefaultAppArmorProfile.Name } : Features;
    }

    private IReadOnlyList<(FoundDevice Device, string Permissions)> DevicesOf(ContainerSpec spec)
    {
        try
        {
            return parts.Devices.FindAll(spec.Devices);
        }
        catch (DeviceMissingException e)
        {
            throw new StartFailedException(e.Message, e);
        }
    }
}
