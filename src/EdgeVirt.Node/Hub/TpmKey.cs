using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using EdgeVirt.Linux;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Hub;

/// <summary>The node's key is in its TPM, and that does not answer, or is another one. The message says what to do.</summary>
internal sealed class TpmUnavailableException(string message, Exception inner) : Exception(message, inner);

/// <summary>
/// A key for signing in the board's TPM 2.0, reached by OpenSSL's provider <c>tpm2</c> (Debian's tpm2-openssl) and made by tpm2-tools. It is the primary key of the owner's hierarchy for a
/// template of its own, at a persistent handle: it never leaves the chip.
/// </summary>
/// <param name="device">Nothing is tried where this is not there.</param>
/// <param name="log">Told why a TPM is not used.</param>
internal sealed partial class TpmKey(string device, ILogger<TpmKey> log) : IDisposable
{
    /// <summary>In the range of the owner (TCG's registry of reserved handles); the last bytes are "EV".</summary>
    public const string Handle = "handle:0x81004556";

    private const string Device = "/dev/tpmrm0";
    private const string Provider = "tpm2";
    private const string Attributes = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign|noda";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Lock gate = new();
    private SafeEvpPKeyHandle? opened;

    public TpmKey(ILogger<TpmKey> log)
        : this(Device, log)
    {
    }

    /// <summary>Opens the key.</summary>
    /// <exception cref="TpmUnavailableException">It cannot be.</exception>
    public ECDsa Open(string handle)
    {
        lock (gate)
        {
            try
            {
                opened ??= SafeEvpPKeyHandle.OpenKeyFromProvider(Provider, handle);
                return new ECDsaOpenSsl(opened);
            }
            catch (Exception e) when (e is CryptographicException or PlatformNotSupportedException)
            {
                throw new TpmUnavailableException(
                    $"The node's key is in its TPM ({handle}), which does not give it: {e.Message} Where the TPM was cleared or changed, remove node.tpm in the identity's directory and enroll with a new claim token.",
                    e);
            }
        }
    }

    /// <summary>Makes the key, or finds the one that was made before; its handle. Null where there is no TPM, or it is not proven to serve for TLS.</summary>
    public string? TryMake()
    {
        if (!File.Exists(device))
        {
            return null;
        }

        try
        {
            Make();
            using var key = Open(Handle);
            Prove(key);
            return Handle;
        }
        catch (Exception e) when (e is IOException or SocketException or TpmUnavailableException or CryptographicException or AuthenticationException or OperationCanceledException)
        {
            LogUnused(e is AuthenticationException ? $"it does not sign for TLS ({e.GetBaseException().Message}), as Debian 13's tpm2-openssl does" : e.Message);
            Dispose();
            return null;
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            opened?.Dispose();
            opened = null;
        }
    }

    private static void Make()
    {
        var number = Handle["handle:".Length..];
        if (Run(check: false, "tpm2_readpublic", "--quiet", "-c", number) == 0)
        {
            return;
        }

        var context = Path.GetTempFileName();
        try
        {
            Run(check: true, "tpm2_createprimary", "--quiet", "-C", "o", "-g", "sha256", "-G", "ecc256", "-a", Attributes, "-c", context);
            // A TPM without a resource manager keeps what was made until it is told.
            Run(check: false, "tpm2_flushcontext", "--quiet", "-t");
            Run(check: true, "tpm2_evictcontrol", "--quiet", "-C", "o", "-c", context, number);
            Run(check: false, "tpm2_flushcontext", "--quiet", "-t");
        }
        finally
        {
            File.Delete(context);
        }
    }

    private static int Run(bool check, string file, params string[] args) =>
        ProcessRunner.RunAsync(file, args, Patience, check: check).GetAwaiter().GetResult().ExitCode;

    // Not every release of the provider signs for TLS (1.1 does not). That is to be known before the hub knows the key.
    private static void Prove(ECDsa key)
    {
        var request = new CertificateRequest("CN=node", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var limit = new CancellationTokenSource(Patience);
        Task.WhenAll(ServeAsync(listener, certificate, limit.Token), AskAsync(((IPEndPoint)listener.LocalEndpoint).Port, certificate, limit.Token)).GetAwaiter().GetResult();
    }

    // Either side signs with the key, so one certificate proves both.
    private static async Task ServeAsync(TcpListener listener, X509Certificate2 certificate, CancellationToken ct)
    {
        using var connection = await listener.AcceptTcpClientAsync(ct);
        await using var tls = new SslStream(connection.GetStream());
        await tls.AuthenticateAsServerAsync(
            new SslServerAuthenticationOptions
            {
                ServerCertificate = certificate,
                ClientCertificateRequired = true,
                RemoteCertificateValidationCallback = (_, shown, _, _) => IsIt(shown, certificate),
            },
            ct);
        tls.WriteByte(1);
    }

    private static async Task AskAsync(int port, X509Certificate2 certificate, CancellationToken ct)
    {
        using var connection = new TcpClient();
        await connection.ConnectAsync(IPAddress.Loopback, port, ct);
        await using var tls = new SslStream(connection.GetStream());
        await tls.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = "node",
                LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate,
                RemoteCertificateValidationCallback = (_, shown, _, _) => IsIt(shown, certificate),
            },
            ct);
        await tls.ReadExactlyAsync(new byte[1], ct);
    }

    private static bool IsIt(X509Certificate? shown, X509Certificate2 certificate) => shown?.GetRawCertData().AsSpan().SequenceEqual(certificate.RawData) == true;

    [LoggerMessage(Level = LogLevel.Warning, Message = "The TPM of this board is not used for the node's key, which goes into a file: {Reason}")]
    private partial void LogUnused(string reason);
}
