namespace EdgeVirt.Node.VirtualMachines.Qemu;

/// <summary>Whether QEMU, which runs as a user of its own, comes to where its files are.</summary>
internal static class Passage
{
    /// <summary>Looks at a directory and at all above it, as far as they are there.</summary>
    /// <param name="directory">Full path.</param>
    /// <exception cref="VmStartException">One of them lets only its owner or group pass.</exception>
    public static void Require(string directory)
    {
        for (var at = directory; at is not null; at = Path.GetDirectoryName(at))
        {
            if (Directory.Exists(at) && !File.GetUnixFileMode(at).HasFlag(UnixFileMode.OtherExecute))
            {
                throw new VmStartException($"{at} is closed to virtual machines, each of which has a user of its own: let others pass through it (chmod o+x {at})");
            }
        }
    }
}
