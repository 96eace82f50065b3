using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Linux;
using EdgeVirt.Node.State;

namespace EdgeVirt.Node.Hub;

/// <summary>
/// The node's identity, in files of its own that no damage to the state reaches: its key (<see cref="NodeKey"/>) and identity.json, which holds
/// the rest; node.crt and ca.crt (PEM) are copies out of it, for people and older agents. All mode 0600. Also the floor of the clock: a board without a clock chip is never earlier
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
    private readonly Lock writing = new();
    private Identity? current;
    private IdentityRecord? stored;
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

    /// <summary>Whether what the hub before wanted is yet to be dropped; see <see cref="DesiredDropped"/>.</summary>
    public bool DropsDesired
    {
        get
        {
            lock (gate)
            {
                return stored?.DropsDesired == true;
            }
        }
    }

    /// <summary>Whether what the hub before wanted runs on until this one has something for the node to run; see <see cref="DesiredReplaced"/>.</summary>
    public bool KeepsDesired
    {
        get
        {
            lock (gate)
            {
                return stored?.KeepsDesired == true;
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
        TaskCompletionSource before;
        lock (writing)
        {
            if (Problem is null || Current is not null || Load() is not { } identity)
            {
                return;
            }

            lock (gate)
            {
                current = identity;
                before = changed;
                changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        before.SetResult();
    }

    /// <summary>Puts an identity in force, durably and as a whole: until this has returned, the one before is.</summary>
    /// <param name="node">The name that the hub gave.</param>
    /// <param name="hub">Where the hub is.</param>
    /// <param name="answer">What the hub gave at enrollment.</param>
    /// <param name="dropsDesired">What the hub before wanted is to be dropped.</param>
    public void Enroll(string node, HubAddress hub, EnrollResponse answer, bool dropsDesired = false)
    {
        using var key = OpenKey();
        var hubTime = DateTimeOffset.FromUnixTimeMilliseconds(answer.HubTimeUnixMs);
        var (certificate, authority) = (answer.CertificateDer.ToByteArray(), answer.AuthorityDer.ToByteArray());
        var next = new Identity(node, hub, (int)answer.MqttPort, WithKey(certificate, key), X509CertificateLoader.LoadCertificate(authority));
        TaskCompletionSource before;
        lock (writing)
        {
            Write(new IdentityRecord(node, hub.ToString(), (int)answer.MqttPort, hubTime)
            {
                Certificate = Pem(certificate),
                Authority = Pem(authority),
                HubOption = options.Hub,
                DropsDesired = dropsDesired,
                KeepsDesired = !dropsDesired && (KeepsDesired || IsAnotherHub(authority)),
            });
            lock (gate)
            {
                floor = hubTime;
                current = next;
                before = changed;
                changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        before.SetResult();
    }

    /// <summary>Puts a fresh certificate in force, unless the node has got another identity than the one that it renews.</summary>
    public void Renew(Identity identity, byte[] certificateDer, byte[] authorityDer, DateTimeOffset hubTime)
    {
        using var key = OpenKey();
        var next = identity with { Certificate = WithKey(certificateDer, key), Authority = X509CertificateLoader.LoadCertificate(authorityDer) };
        lock (writing)
        {
            if (!ReferenceEquals(Current, identity))
            {
                return;
            }

            var latest = hubTime > floor ? hubTime : floor;
            Write(stored! with { LastHubTime = latest, Certificate = Pem(certificateDer), Authority = Pem(authorityDer) });
            lock (gate)
            {
                floor = latest;
                current = next;
            }
        }
    }

    /// <summary>What the hub before wanted was dropped.</summary>
    public void DesiredDropped()
    {
        lock (writing)
        {
            if (DropsDesired)
            {
                Write(stored! with { DropsDesired = false });
            }
        }
    }

    /// <summary>What the hub before wanted is about to give way to what this one wants.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public void DesiredReplaced()
    {
        lock (writing)
        {
            if (KeepsDesired)
            {
                Write(stored! with { KeepsDesired = false });
            }
        }
    }

    private bool IsAnotherHub(byte[] authority) => Current is { } identity && !identity.Authority.RawData.AsSpan().SequenceEqual(authority);

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
            if (!HubAddress.TryParse(options.Hub is { } option && option != record.HubOption ? option : record.Hub, out var hub))
            {
                throw new JsonException("no hub");
            }

            using var key = OpenKey();
            var certificate = X509Certificate2.CreateFromPem(record.Certificate ?? File.ReadAllText(PathOf("node.crt")));
            var authority = X509Certificate2.CreateFromPem(record.Authority ?? File.ReadAllText(PathOf("ca.crt")));
            stored = record with { Certificate = certificate.ExportCertificatePem(), Authority = authority.ExportCertificatePem() };
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

    private void Write(IdentityRecord record)
    {
        DurableFile.Write(PathOf("identity.json"), JsonSerializer.SerializeToUtf8Bytes(record, IdentityJson.Default.IdentityRecord), OwnerOnly);
        lock (gate)
        {
            stored = record;
        }

        try
        {
            DurableFile.Write(PathOf("ca.crt"), Encoding.ASCII.GetBytes(record.Authority + "\n"), OwnerOnly);
            DurableFile.Write(PathOf("node.crt"), Encoding.ASCII.GetBytes(record.Certificate + "\n"), OwnerOnly);
        }
        catch (IOException)
        {
            // Copies: the identity is in force without them.
        }
    }

    private static string Pem(byte[] der) => PemEncoding.WriteString("CERTIFICATE", der);

    private string PathOf(string name) => Path.Combine(options.IdentityDirectory, name);
}
