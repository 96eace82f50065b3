using System.Globalization;

namespace EdgeVirt.Node.VirtualMachines.Qemu;

/// <summary>As whom programs run that read what comes from outside: a user id that nothing else on the node has, with no capability, and none to get.</summary>
/// <param name="User">User and group id.</param>
/// <param name="DeviceGroup">The group that may open /dev/kvm; null: none.</param>
internal sealed record Unprivileged(uint User, uint? DeviceGroup = null)
{
    /// <summary>The first id of all: those below the ids of workloads with user namespaces of their own, by default.</summary>
    public const uint FirstUser = (1 << 30) - MostUsers;

    /// <summary>How many there are.</summary>
    public const uint MostUsers = 4096;

    /// <summary>Who only looks at files.</summary>
    public static readonly Unprivileged Inspector = new(FirstUser);

    /// <summary>The arguments of setpriv(1) that have it become a program as that user.</summary>
    /// <param name="file">The program.</param>
    /// <param name="args">Its arguments.</param>
    public IReadOnlyList<string> SetPriv(string file, IReadOnlyList<string> args)
    {
        var id = User.ToString(CultureInfo.InvariantCulture);
        return
        [
            "--reuid", id, "--regid", id,
            .. DeviceGroup is { } group ? (string[])["--groups", group.ToString(CultureInfo.InvariantCulture)] : ["--clear-groups"],
            "--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--", file, .. args,
        ];
    }
}
