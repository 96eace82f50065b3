using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Node.VirtualMachines.Qemu;

/// <summary>The kernel's servers of a guest's network cards: to be handed to QEMU and closed here.</summary>
/// <param name="Nics">The guest's cards, which say whether they have one.</param>
/// <param name="Files">One for each card; none at all where the kernel has none.</param>
internal sealed record VhostCards(IReadOnlyList<QemuNic> Nics, IReadOnlyList<SafeFileHandle> Files) : IDisposable
{
    /// <summary>Opens one for each card.</summary>
    /// <param name="guest">Emulated guests have none: what they send is slowed down elsewhere.</param>
    /// <param name="open">Opens one; null: the kernel has none.</param>
    public static VhostCards Open(QemuGuest guest, Func<SafeFileHandle?> open)
    {
        List<SafeFileHandle> files = [];
        while (guest.Acceleration.Kvm && files.Count < guest.Nics.Count && open() is { } file)
        {
            files.Add(file);
        }

        if (files.Count == guest.Nics.Count)
        {
            return new VhostCards([.. guest.Nics.Select(nic => nic with { IsVhost = true })], files);
        }

        files.ForEach(file => file.Dispose());
        return new VhostCards(guest.Nics, []);
    }

    public void Dispose()
    {
        foreach (var file in Files)
        {
            file.Dispose();
        }
    }
}
