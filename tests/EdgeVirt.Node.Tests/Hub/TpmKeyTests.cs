using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using EdgeVirt.Node.Hub;
using EdgeVirt.Node.State;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.Hub;

/// <summary>Keys in an emulated TPM. One that signs for TLS wants Debian 13's tpm2-openssl; with an older one the key has to go into a file.</summary>
[NonParallelizable]
public sealed class TpmKeyTests
{
    private CapturedLog log = null!;
    private TempDirectory directory = null!;
    private ChildProcess? tpm;

    [SetUp]
    public void SetUp() => (directory, log, tpm) = (new TempDirectory(), new CapturedLog(), null);

    [TearDown]
    public async Task TearDownAsync()
    {
        if (tpm is not null)
        {
            await tpm.DisposeAsync();
        }

        directory.Dispose();
    }

    [Test]
    public async Task A_board_with_a_TPM_has_its_key_there_and_speaks_TLS_with_it_or_else_has_a_file()
    {
        await StartTpmAsync();
        using var chip = Chip("/dev/null");
        var keys = Keys(chip);
        var reference = Path.Combine(Options().IdentityDirectory, "node.tpm");
        byte[] published;
        using (var key = keys.Open())
        {
            if (File.Exists(Path.Combine(Options().IdentityDirectory, "node.key")))
            {
                Assert.That(File.Exists(reference), Is.False);
                Assert.That(log.Lines, Has.One.Contains("does not sign for TLS"), "nothing else is wrong with this TPM");
                Assert.Ignore($"{log.Lines[0]}; the key went into a file");
            }

            Assert.That((await File.ReadAllTextAsync(reference)).Trim(), Is.EqualTo(TpmKey.Handle));
            Assert.That(() => key.ExportECPrivateKey(), Throws.InstanceOf<CryptographicException>());
            Assert.That(await MutualTlsAsync(key), Is.EqualTo("CN=node"));
            published = key.ExportSubjectPublicKeyInfo();
        }

        await CutPowerAsync(chip);
        using (var again = keys.Open())
        {
            Assert.That(again.ExportSubjectPublicKeyInfo(), Is.EqualTo(published));
        }

        // As if the power had gone before node.tpm was written: the same key is found.
        File.Delete(reference);
        await CutPowerAsync(chip);
        using var found = keys.Open();
        Assert.That(found.ExportSubjectPublicKeyInfo(), Is.EqualTo(published));
        Assert.That(File.Exists(reference), Is.True);
    }

    [Test]
    public void A_key_that_is_in_a_file_stays_there()
    {
        byte[] before;
        using (var chip = Chip(directory.Combine("no-device")))
        using (var key = Keys(chip).Open())
        {
            before = key.ExportSubjectPublicKeyInfo();
        }

        using var present = Chip("/dev/null");
        using var after = Keys(present).Open();
        Assert.That(after.ExportSubjectPublicKeyInfo(), Is.EqualTo(before));
    }

    [Test]
    public void A_TPM_that_does_not_answer_costs_neither_the_identity_nor_a_second_key()
    {
        SetTcti("swtpm:host=127.0.0.1,port=1");
        using var chip = Chip("/dev/null");
        var keys = Keys(chip);
        Directory.CreateDirectory(Options().IdentityDirectory);
        File.WriteAllText(Path.Combine(Options().IdentityDirectory, "node.tpm"), TpmKey.Handle + "\n");
        Assert.That(() => keys.Open(), Throws.InstanceOf<TpmUnavailableException>().With.Message.Contains("enroll with a new claim token"));
        Assert.That(Directory.GetFiles(Options().IdentityDirectory).Select(Path.GetFileName), Is.EqualTo(new[] { "node.tpm" }));

        File.WriteAllText(Path.Combine(Options().IdentityDirectory, "identity.json"), """{ "node": "n", "hub": "h:1", "mqttPort": 1, "lastHubTime": "2026-11-26T00:00:00Z" }""");
        var identities = new IdentityFiles(Options(), Quarantine(), keys, TimeProvider.System);
        Assert.That((identities.Current, identities.Problem is null), Is.EqualTo(((Identity?)null, false)));
        Assert.That(File.Exists(Path.Combine(Options().IdentityDirectory, "identity.json")), Is.True, "it holds when the TPM is back");
    }

    [Test]
    public void A_TPM_that_cannot_be_used_leaves_the_key_to_a_file()
    {
        SetTcti("swtpm:host=127.0.0.1,port=1");
        using var chip = Chip("/dev/null");
        using var key = Keys(chip).Open();
        Assert.That(File.ReadAllText(Path.Combine(Options().IdentityDirectory, "node.key")), Does.StartWith("-----BEGIN PRIVATE KEY-----"));
    }

    private static async Task<string?> MutualTlsAsync(ECDsa key)
    {
        var now = DateTimeOffset.UtcNow;
        using var authority = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var root = new CertificateRequest("CN=hub", authority, HashAlgorithmName.SHA256);
        root.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var hub = root.CreateSelfSigned(now.AddDays(-1), now.AddDays(2));
        var asked = CertificateRequest.LoadSigningRequest(new CertificateRequest("CN=node", key, HashAlgorithmName.SHA256).CreateSigningRequest(), HashAlgorithmName.SHA256);
        using var issued = asked.Create(hub, now.AddHours(-1), now.AddDays(1), [1]);
        using var node = issued.CopyWithPrivateKey(key);

        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var client = new TcpClient();
        var accepting = listener.AcceptTcpClientAsync();
        await client.ConnectAsync(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndpoint).Port);
        using var server = await accepting;
        await using var serving = new SslStream(server.GetStream());
        await using var asking = new SslStream(client.GetStream());
        await Task.WhenAll(
            serving.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
            {
                ServerCertificate = hub, ClientCertificateRequired = true, RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null,
            }),
            asking.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
            {
                TargetHost = "hub", LocalCertificateSelectionCallback = (_, _, _, _, _) => node, RemoteCertificateValidationCallback = (_, shown, _, _) => shown?.Subject == "CN=hub",
            }));
        return serving.RemoteCertificate?.Subject;
    }

    private async Task StartTpmAsync()
    {
        var port = FreePorts();
        tpm = ChildProcess.Start(
            "swtpm",
            [
                "socket", "--tpm2", "--tpmstate", $"dir={directory.Subdirectory("tpm")}", "--flags", "not-need-init,startup-clear",
                "--server", $"type=tcp,port={port},bindaddr=127.0.0.1", "--ctrl", $"type=tcp,port={port + 1},bindaddr=127.0.0.1",
            ],
            directory.Combine("swtpm.log"));
        await Eventually.HoldsAsync(() => !IsFree(port) && !IsFree(port + 1), "swtpm");
        SetTcti($"swtpm:host=127.0.0.1,port={port}");
    }

    // tpm2-tss looks for the control channel one port above the other.
    private static int FreePorts()
    {
        while (true)
        {
            using var free = new TcpListener(IPAddress.Loopback, 0);
            free.Start();
            var port = ((IPEndPoint)free.LocalEndpoint).Port;
            free.Stop();
            if (IsFree(port + 1))
            {
                return port;
            }
        }
    }

    // By the kernel's table: a connection would be taken for a client.
    private static bool IsFree(int port) =>
        !System.Net.NetworkInformation.IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Any(listener => listener.Port == port);

    private async Task CutPowerAsync(TpmKey chip)
    {
        chip.Dispose();
        await tpm!.DisposeAsync();
        await StartTpmAsync();
    }

    // The provider reads the environment of the process itself, which .NET's copy of it does not change.
    private static void SetTcti(string tcti)
    {
        Environment.SetEnvironmentVariable("TPM2TOOLS_TCTI", tcti);
        var set = Marshal.GetDelegateForFunctionPointer<SetEnvironment>(NativeLibrary.GetExport(NativeLibrary.Load("libc.so.6"), "setenv"));
        Assert.That(set("TPM2OPENSSL_TCTI", tcti, 1), Is.Zero);
    }

    private TpmKey Chip(string device) => new(device, new LoggerFactory([log]).CreateLogger<TpmKey>());

    private NodeKey Keys(TpmKey chip) => new(Options(), Quarantine(), chip);

    private Quarantine Quarantine() => new(Options(), TimeProvider.System, NullLogger<Quarantine>.Instance);

    private NodeOptions Options() => new() { DataDir = directory.Path };

    private delegate int SetEnvironment([MarshalAs(UnmanagedType.LPUTF8Str)] string name, [MarshalAs(UnmanagedType.LPUTF8Str)] string value, int overwrite);
}
