using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace EdgeVirt.Cli.Interactive.Browser;

/// <summary>
/// Who may see the display: the page that has the address which was printed, and it alone. The secret of the address is exchanged once for the
/// session's, so that who reads it later, in a history or over a shoulder, has nothing.
/// </summary>
/// <param name="port">Of 127.0.0.1, where the page is.</param>
internal sealed class BrowserGate(int port)
{
    private const int SecretBytes = 32;

    private readonly string session = NewSecret();
    private int isRedeemed;

    /// <summary>What the address has behind its <c>#</c>, which browsers keep to themselves.</summary>
    public string Secret { get; } = NewSecret();

    public string Address => $"http://127.0.0.1:{port}/#{Secret}";

    /// <summary>Under another name the page would be another site's, whose name leads here (DNS rebinding).</summary>
    public bool IsOurs(string? host) => host == $"127.0.0.1:{port}" || host == $"localhost:{port}";

    /// <summary>Whether our own page asks, not another site's in the same browser.</summary>
    public bool IsOurPage(string? host, string? origin) => IsOurs(host) && origin == $"http://{host}";

    /// <summary>The session for the secret, once. Null: it is another one, or was used.</summary>
    public string? Redeem(string secret) => Same(secret, Secret) && Interlocked.Exchange(ref isRedeemed, 1) == 0 ? session : null;

    public bool IsSession(string offered) => Same(offered, session) && Volatile.Read(ref isRedeemed) == 1;

    private static bool Same(string offered, string secret) => CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(offered), Encoding.UTF8.GetBytes(secret));

    private static string NewSecret() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(SecretBytes));
}
