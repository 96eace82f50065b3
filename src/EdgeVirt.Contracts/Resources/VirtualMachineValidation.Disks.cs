using static EdgeVirt.Contracts.Resources.WorkloadValidation;

namespace EdgeVirt.Contracts.Resources;

internal static partial class VirtualMachineValidation
{
    // What virtio-blk tells the guest of a serial number (VIRTIO_BLK_ID_BYTES).
    private const int SerialLength = 20;
    private const int Sector = 512;
    private const int LongestAddress = 2048;

    private static void ValidateDisks(IReadOnlyList<VirtualDiskSpec> disks, string path, Validation v)
    {
        var names = new HashSet<string>();
        var serials = new HashSet<string>();
        for (var i = 0; i < disks.Count; i++)
        {
            var (disk, at) = (disks[i], $"{path}[{i}]");
            var isNew = !names.Contains(disk.Name);
            Name(disk.Name, $"{at}.name", names, v);
            if (!serials.Add(disk.Name.Length > SerialLength ? disk.Name[..SerialLength] : disk.Name) && isNew)
            {
                v.Add($"{at}.name", $"'{disk.Name}' begins as another disk's name does, and the guest sees only the first {SerialLength} characters; choose another");
            }

            Validate(disk, at, v);
        }
    }

    private static void Validate(VirtualDiskSpec disk, string path, Validation v)
    {
        object?[] sources = [disk.Image, disk.Url, disk.CloneOf, disk.Empty];
        if (sources.Count(given => given is not null) != 1)
        {
            v.Add(path, "give exactly one of image, url, cloneOf and empty");
        }

        if (disk.Image is { } image)
        {
            Image(image.Reference, $"{path}.image.reference", v);
            FilePath(image.Path, $"{path}.image.path", v);
        }

        Validate(disk.Url, $"{path}.url", v);
        Validate(disk.CloneOf, $"{path}.cloneOf", v);
        if (disk.Empty is not null && disk.Size is null)
        {
            v.Add($"{path}.size", "is required for an empty disk, as 10Gi");
        }

        if (disk.Empty is not null && disk.ReadOnly)
        {
            v.Add($"{path}.readOnly", "is not for an empty disk: nothing would ever be on it");
        }

        if (disk.ReadOnly && (disk.Cache is not null || disk.Discard is not null))
        {
            v.Add($"{path}.{(disk.Cache is not null ? "cache" : "discard")}", "is about what a guest writes, and this disk is readOnly: leave it out");
        }

        if (disk.Size is { } size && (size.Value < OneMebi || size.Value % Sector != 0))
        {
            v.Add($"{path}.size", $"'{size}' must be at least 1Mi and a multiple of {Sector} bytes");
        }
    }

    private static void Validate(DiskCloneSource? source, string path, Validation v)
    {
        if (source is null)
        {
            return;
        }

        foreach (var (field, name) in (ReadOnlySpan<(string, string?)>)[("machine", source.Machine), ("disk", source.Disk), ("snapshot", source.Snapshot)])
        {
            if (name is not null && ResourceName.Problem(name) is { } problem)
            {
                v.Add($"{path}.{field}", $"'{name}' {problem}");
            }
        }
    }

    private static void Validate(DiskUrlSource? source, string path, Validation v)
    {
        if (source is null)
        {
            return;
        }

        // Reasons do not repeat the address: it may hold what is confidential.
        if (source.Location.Length > LongestAddress || source.Location.Any(c => c <= ' ') || !Uri.TryCreate(source.Location, UriKind.Absolute, out var address) ||
            (address.Scheme != Uri.UriSchemeHttps && address.Scheme != Uri.UriSchemeHttp) || address.Host.Length == 0)
        {
            v.Add($"{path}.location", $"must be an address of up to {LongestAddress} characters that begins with https:// or http://");
        }
        else if (address.UserInfo.Length > 0)
        {
            v.Add($"{path}.location", "must not hold a user or password: everybody who may read the resource would see them");
        }
        else if (address.Fragment.Length > 0)
        {
            v.Add($"{path}.location", "must not have a '#' part: a web server is never sent it");
        }

        if (source.Sha256.Length != 64 || !source.Sha256.All(char.IsAsciiHexDigit))
        {
            v.Add($"{path}.sha256", "must be 64 hexadecimal digits, as sha256sum prints them");
        }
    }
}
