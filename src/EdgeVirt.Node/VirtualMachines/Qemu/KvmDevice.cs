using EdgeVirt.Linux.Files;

namespace EdgeVirt.Node.VirtualMachines.Qemu;

/// <summary>The way to the kernel's virtual machines.</summary>
internal static class KvmDevice
{
    private const string Path = "/dev/kvm";
    private const UnixFileMode OwnerAndGroup = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
    private const UnixFileMode Others = UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>The group that gets a device which only root may open: nobody is in it but machines.</summary>
    private const uint OwnGroup = Unprivileged.FirstUser + Unprivileged.MostUsers - 1;

    public static bool IsThere => File.Exists(Path);

    /// <summary>The group by which an unprivileged QEMU may open it; null: everybody may. A device of root's alone is given to a group that has machines in it and nobody else.</summary>
    /// <exception cref="IOException">There is none, or it cannot be given.</exception>
    public static uint? Group()
    {
        var (_, group) = Ownership.Of(Path);
        var mode = File.GetUnixFileMode(Path);
        if ((mode & Others) == Others)
        {
            return null;
        }

        if (group != 0 && (mode & OwnerAndGroup) == OwnerAndGroup)
        {
            return group;
        }

        Ownership.Set(Path, 0, OwnGroup);
        File.SetUnixFileMode(Path, OwnerAndGroup);
        return OwnGroup;
    }
}
