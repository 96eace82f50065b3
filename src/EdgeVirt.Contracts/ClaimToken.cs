using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts;

/// <summary>
/// What a technician carries to a board: which claim it uses, the secret that proves it, and the pin by which
/// the board recognises its hub. Text form: <c>evc1.&lt;claim&gt;.&lt;secret&gt;.&lt;pin&gt;</c>, the last two base64url.
/// </summary>
public sealed class ClaimToken
{
    private const string Prefix = "evc1";
    private const int SecretBytes = 32;

    private ClaimToken(string claim, byte[] secret, byte[] authorityPin)
    {
        Claim = claim;
        Secret = secret;
        AuthorityPin = authorityPin;
    }

    /// <summary>Name of the <c>BoardClaim</c>.</summary>
    public string Claim { get; }

    /// <summary>32 random bytes. The hub keeps only their SHA-256.</summary>
    public ReadOnlyMemory<byte> Secret { get; }

    /// <summary>SHA-256 of the DER bytes of the hub's authority certificate.</summary>
    public ReadOnlyMemory<byte> AuthorityPin { get; }

    /// <summary>SHA-256 of <see cref="Secret"/>, which is what the hub stores and compares.</summary>
    public byte[] SecretHash() => SHA256.HashData(Secret.Span);

    /// <summary>A new token for a claim.</summary>
    public static ClaimToken Create(string claim, ReadOnlySpan<byte> authorityCertificateDer) =>
        new(claim, RandomNumberGenerator.GetBytes(SecretBytes), SHA256.HashData(authorityCertificateDer));

    /// <summary>Whether a certificate is the one that the token pins.</summary>
    public bool Pins(ReadOnlySpan<byte> authorityCertificateDer) =>
        CryptographicOperations.FixedTimeEquals(AuthorityPin.Span, SHA256.HashData(authorityCertificateDer));

    /// <summary>The token's full text, secret included. Never log it; <see cref="ToString"/> leaves the secret out.</summary>
    public string Reveal() =>
        $"{Prefix}.{Claim}.{Base64Url.EncodeToString(Secret.Span)}.{Base64Url.EncodeToString(AuthorityPin.Span)}";

    /// <summary>The token without its secret, fit for logs.</summary>
    public override string ToString() => $"{Prefix}.{Claim}.***";

    /// <summary>Reads a token as a person may have pasted it (white space around it is ignored).</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out ClaimToken? token)
    {
        token = null;
        var parts = text?.Trim().Split('.') ?? [];
        if (parts.Length != 4 || parts[0] != Prefix || !ResourceName.IsValid(parts[1]))
        {
            return false;
        }

        try
        {
            var secret = Base64Url.DecodeFromChars(parts[2]);
            var pin = Base64Url.DecodeFromChars(parts[3]);
            if (secret.Length != SecretBytes || pin.Length != SHA256.HashSizeInBytes)
            {
                return false;
            }

            token = new ClaimToken(parts[1], secret, pin);
            return true;
        }
        catch (FormatException)
        {
            return false;
        }
    }
}
