using System.Security.Cryptography;
using System.Text;
using EdgeVirt.Linux;
using EdgeVirt.Node.State;

namespace EdgeVirt.Node.Hub;

/// <summary>
/// The node's key, EC P-256, made when there is none. A board with a TPM makes it there, where no copy of the disk has it: <c>node.tpm</c> then names its handle. Elsewhere
/// it is <c>node.key</c>, mode 0600. A key that is in a file stays there: moving it would be another key, and another enrollment.
/// </summary>
internal sealed class NodeKey(NodeOptions options, Quarantine quarantine, TpmKey tpm)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private string File => Path.Combine(options.IdentityDirectory, "node.key");

    private string Reference => Path.Combine(options.IdentityDirectory, "node.tpm");

    /// <summary>The key; whoever asks disposes of it.</summary>
    /// <exception cref="TpmUnavailableException">It is in the TPM, and that does not answer.</exception>
    public ECDsa Open()
    {
        Directory.CreateDirectory(options.IdentityDirectory, OwnerOnly | UnixFileMode.UserExecute);
        if (System.IO.File.Exists(File))
        {
            var key = ECDsa.Create();
            try
            {
                key.ImportFromPem(System.IO.File.ReadAllText(File));
                return key;
            }
            catch (Exception e) when (e is CryptographicException or ArgumentException)
            {
                key.Dispose();
                quarantine.Take(File, "the node's key; it needs a new claim token to enroll again");
            }
        }

        if (System.IO.File.Exists(Reference))
        {
            return tpm.Open(System.IO.File.ReadAllText(Reference).Trim());
        }

        if (tpm.TryMake() is { } handle)
        {
            var made = tpm.Open(handle);
            DurableFile.Write(Reference, Encoding.ASCII.GetBytes(handle + "\n"), OwnerOnly);
            return made;
        }

        var fresh = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        DurableFile.Write(File, Encoding.ASCII.GetBytes(fresh.ExportPkcs8PrivateKeyPem() + "\n"), OwnerOnly);
        return fresh;
    }
}
