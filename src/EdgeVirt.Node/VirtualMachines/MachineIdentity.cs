using System.Security.Cryptography;
using System.Text;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>What a guest knows itself by. It follows from node and machine, so that it is the same after every start and differs from node to node.</summary>
internal static class MachineIdentity
{
    /// <summary>The machine's UUID as SMBIOS has it, in lower case; version 8 (RFC 9562).</summary>
    public static string UuidOf(string node, string uid)
    {
        var bytes = Hash("uuid", node, uid).AsSpan(0, 16);
        bytes[6] = (byte)((bytes[6] & 0x0f) | 0x80);
        bytes[8] = (byte)((bytes[8] & 0x3f) | 0x80);
        return new Guid(bytes, bigEndian: true).ToString("D");
    }

    /// <summary>The address of a network card on the wire: one of those that nobody assigns, and of a single card.</summary>
    public static string MacOf(string node, string uid, string interfaceName)
    {
        var bytes = Hash("mac", node, uid, interfaceName).AsSpan(0, 6);
        bytes[0] = 0x52;
        return string.Join(':', bytes.ToArray().Select(part => Convert.ToHexStringLower([part])));
    }

    private static byte[] Hash(params ReadOnlySpan<string> parts) => SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', (string[])["edgevirt", .. parts])));
}
