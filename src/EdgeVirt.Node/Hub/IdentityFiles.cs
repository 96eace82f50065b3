using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using EdgeVirt.Linux;
using EdgeVirt.Node.State;

namespace EdgeVirt.Node.Hub;

/// <summary>
/// The node's identity, in files of its own that no damage to the state reaches: its key (<see cref="NodeKey"/>), node.crt, ca.crt
/// (PEM) and identity.json, all mode 0600. Also the floor of the clock: a board without a clock chip is never earlier
/// than the hub last said.
/// </summary>
internal sealed class IdentityFiles
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly NodeOptions options;
    private readonly Quarantine quarantine;
    private readonly NodeKey keys;
    private readonly TimeProvider time;
    private readonly Lock gate = new();
    private Identity? current;
    private DateTimeOffset floor;
    private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IdentityFiles(NodeOptions options, Quarantine quarantine, NodeKey keys, TimeProvider time)
    {
        (this.options, this.quarantine, this.keys, this.time) = (options, quarantine, keys, time);
        current = Load();
    }

    /// <summary>Null until the node is enrolled.</summary>
    public Identity? Current
    {
        get
        {
            lock (gate)
            {
                return current;
            }
        }
    }

    /// <summary>Completes when the node gets an identity or another one; renewing a certificate is not another one.</summary>
    public Task Changed
    {
        get
        {
            lock (gate)
            {
                return changed.Task;
            }
        }
    }

    /// <summary>The time, as far as it can be known.</summary>
    public DateTimeOffset Now
    {
        get
        {
            var wall = time.GetUtcNow();
            return wall > floor ? wall : floor;
        }
    }

    /// <summary>Why the node, though it is enrolled, has no identity yet: its TPM does not give the key. See <see cref="TryAgain"/>.</summary>
    public string? Problem { get; private set; }

    /// <summary>The node's key, made when there is none. It stays the same through renewals and enrollments.</summary>
    /// <exception cref="TpmUnavailableException">It is in the TPM, and that does not answer.</exception>
    public ECDsa OpenKey() => keys.Open();

    /// <summary>Looks once more for an identity whose key the TPM did not give.</summary>
    public void TryAgain()
    {
        if (Problem is not null && Current is null && Load() is { } identity)
        {
            Announce(identity);
        }
    }

    /// <summary>Puts an identity in force, durably; identity.json comes last and makes it count.</summary>
    public void Enroll(string node, HubAddress hub, int mqttPort, byte[] certificateDer, byte[] authorityDer, DateTimeOffset hubTime)
    {
        using var key = OpenKey();
        WriteCertificates(certificateDer, authorityDer);
        WriteRecord(new IdentityRecord(node, hub.ToString(), mqttPort, hubTime));
        var next = new Identity(node, hub, mqttPort, WithKey(certificateDer, key), X509CertificateLoader.LoadCertificate(authorityDer));
        lock (gate)
        {
            floor = hubTime;
        }

        Announce(next);
    }

    /// <summary>Puts a fresh certificate in force.</summary>
    public void Renew(byte[] certificateDer, byte[] authorityDer, DateTimeOffset hubTime)
    {
        var identity = Current ?? throw new InvalidOperationException("A node that is not enrolled has no certificate to renew.");
        using var key = OpenKey();
        WriteCertificates(certificateDer, authorityDer);
        WriteRecord(new IdentityRecord(identity.Node, identity.Hub.ToString(), identity.MqttPort, hubTime > floor ? hubTime : floor));
        lock (gate)
        {
            floor = hubTime > floor ? hubTime : floor;
            current = identity with { Certificate = WithKey(certificateDer, key), Authority = X509CertificateLoader.LoadCertificate(authorityDer) };
        }
    }

    private void Announce(Identity next)
    {
        TaskCompletionSource before;
        lock (gate)
        {
            current = next;
            before = changed;
            changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        before.SetResult();
    }

    private Identity? Load()
    {
        Problem = null;
        var path = PathOf("identity.json");
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            var record = JsonSerializer.Deserialize(File.ReadAllBytes(path), IdentityJson.Default.IdentityRecord) ?? throw new JsonException("empty");
            floor = record.LastHubTime;
            if (!HubAddress.TryParse(options.Hub ?? record.Hub, out var hub))
            {
                throw new JsonException("no hub");
            }

            using var key = OpenKey();
            var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(PathOf("node.crt")));
            var authority = X509Certificate2.CreateFromPem(File.ReadAllText(PathOf("ca.crt")));
            return new Identity(record.Node, hub, record.MqttPort, WithKey(certificate.RawData, key), authority);
        }
        catch (TpmUnavailableException e)
        {
            // What is in the files is sound, and holds again when the TPM answers.
            Problem = e.Message;
            return null;
        }
        catch (Exception e) when (e is JsonException or CryptographicException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            quarantine.Take(path, $"the node's identity ({e.Message}); it needs a new claim token to enroll again");
            return null;
        }
    }

    // CopyWithPrivateKey refuses a key that is not the certificate's.
    private static X509Certificate2 WithKey(byte[] certificateDer, ECDsa key)
    {
        using var certificate = X509CertificateLoader.LoadCertificate(certificateDer);
        return certificate.CopyWithPrivateKey(key);
    }

    private void WriteCertificates(byte[] certificateDer, byte[] authorityDer)
    {
        DurableFile.Write(PathOf("ca.crt"), Pem(authorityDer), OwnerOnly);
        DurableFile.Write(PathOf("node.crt"), Pem(certificateDer), OwnerOnly);
    }

    private void WriteRecord(IdentityRecord record) =>
        DurableFile.Write(PathOf("identity.json"), JsonSerializer.SerializeToUtf8Bytes(record, IdentityJson.Default.IdentityRecord), OwnerOnly);

    private static byte[] Pem(byte[] der) => Encoding.ASCII.GetBytes(PemEncoding.WriteString("CERTIFICATE", der) + "\n");

    private string PathOf(string name) => Path.Combine(options.IdentityDirectory, name);
}
