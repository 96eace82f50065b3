using System.Runtime.InteropServices;
using EdgeVirt.Linux.Storage;

namespace EdgeVirt.Linux.Files;

/// <summary>Further names of devices, for somebody who may not use the device by its own.</summary>
public static class DeviceNode
{
    private const uint OwnerCharacter = 0x2000 | 0x180;

    /// <summary>Makes a node of a character device that one user alone may open.</summary>
    /// <param name="path">Of the node; its file system must allow devices.</param>
    /// <param name="number">Of the device.</param>
    /// <param name="user">Who may read and write it.</param>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Make(string path, DeviceNumber number, uint user)
    {
        if (StorageCalls.MakeNode(path, OwnerCharacter, number.Packed) != 0)
        {
            throw new LinuxException($"mknod {path}", Marshal.GetLastPInvokeError());
        }

        Ownership.Set(path, user, user);
    }
}
