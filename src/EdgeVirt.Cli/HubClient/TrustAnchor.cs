using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace EdgeVirt.Cli.HubClient;

/// <summary>By what the hub is recognised: its authority, its own certificate, or the system's authorities.</summary>
internal sealed class TrustAnchor
{
    private readonly X509Certificate2? authority;
    private readonly byte[]? fingerprint;

    private TrustAnchor(X509Certificate2? authority, byte[]? fingerprint)
    {
        this.authority = authority;
        this.fingerprint = fingerprint;
    }

    /// <summary>The authorities that the system trusts: for hubs behind a public certificate.</summary>
    public static TrustAnchor System => new(null, null);

    /// <summary>Why the last certificate was refused.</summary>
    public string? Problem { get; private set; }

    public static TrustAnchor Of(X509Certificate2 authority) => new(authority, null);

    public static TrustAnchor OfFingerprint(string fingerprint) => new(null, ParseFingerprint(fingerprint));

    /// <summary>What a context stored.</summary>
    public static TrustAnchor Of(Context context) =>
        context.Authority is { } pem ? new TrustAnchor(X509Certificate2.CreateFromPem(pem), null)
        : context.Fingerprint is { } pin ? OfFingerprint(pin)
        : System;

    public static X509Certificate2 ReadAuthority(string file)
    {
        try
        {
            return X509CertificateLoader.LoadCertificateFromFile(file);
        }
        catch (Exception absent) when (absent is FileNotFoundException or DirectoryNotFoundException || (absent is CryptographicException && !File.Exists(file)))
        {
            throw new CliException(ExitCodes.NotFound, $"there is no file '{file}'.", "The hub's authority is in the file pki/ca.crt of its data directory.");
        }
        catch (CryptographicException)
        {
            throw new CliException(ExitCodes.Invalid, $"'{file}' holds no certificate.", "Give the hub's authority: pki/ca.crt of its data directory (PEM or DER).");
        }
    }

    /// <summary><c>sha256:</c> and 64 hexadecimal digits over the DER bytes.</summary>
    public static string FingerprintOf(X509Certificate2 certificate) => $"sha256:{Convert.ToHexStringLower(SHA256.HashData(certificate.RawDataMemory.Span))}";

    /// <summary>Reads a fingerprint; <c>sha256:</c> may be left out, and the digits may be parted by colons.</summary>
    public static byte[] ParseFingerprint(string text)
    {
        var digits = text.Trim();
        digits = digits.StartsWith("sha256:", StringComparison.OrdinalIgnoreCase) ? digits["sha256:".Length..] : digits;
        digits = digits.Replace(":", "", StringComparison.Ordinal);
        return digits.Length == 2 * SHA256.HashSizeInBytes && digits.All(char.IsAsciiHexDigit)
            ? Convert.FromHexString(digits)
            : throw new CliException(ExitCodes.Usage, $"'{text}' is no fingerprint.", "Write sha256: and 64 hexadecimal digits, as the hub prints it at start.");
    }

    /// <summary>Whether the certificate that a server showed is the one to expect.</summary>
    public bool Accepts(X509Certificate2? certificate, X509Chain? presented, SslPolicyErrors errors)
    {
        Problem = certificate is null ? "it shows no certificate"
            : errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch) ? $"its certificate is for other names ({NamesOf(certificate)})"
            : fingerprint is not null ? ProblemOfFingerprint(certificate, presented)
            : authority is not null ? ProblemOfChain(certificate, authority, presented)
            : errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors) ? "its certificate comes from an authority that this machine does not know"
            : null;
        return Problem is null;
    }

    /// <summary>Why a certificate does not lead to an authority, null if it does.</summary>
    public static string? ProblemOfChain(X509Certificate2 certificate, X509Certificate2 authority, X509Chain? presented)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        if (presented is not null)
        {
            chain.ChainPolicy.ExtraStore.AddRange(presented.ChainPolicy.ExtraStore);
        }

        if (chain.Build(certificate))
        {
            return null;
        }

        var status = chain.ChainStatus.Select(one => one.Status).Aggregate(X509ChainStatusFlags.NoError, (all, one) => all | one);
        return status.HasFlag(X509ChainStatusFlags.NotTimeValid)
            ? $"its certificate is valid from {certificate.NotBefore.ToUniversalTime():u} to {certificate.NotAfter.ToUniversalTime():u} only"
            : $"its certificate does not come from the authority {FingerprintOf(authority)[..23]}… that was pinned";
    }

    private string? ProblemOfFingerprint(X509Certificate2 certificate, X509Chain? presented)
    {
        foreach (var shown in presented?.ChainPolicy.ExtraStore.Prepend(certificate) ?? [certificate])
        {
            if (CryptographicOperations.FixedTimeEquals(SHA256.HashData(shown.RawDataMemory.Span), fingerprint))
            {
                return shown.RawDataMemory.Span.SequenceEqual(certificate.RawDataMemory.Span) ? null : ProblemOfChain(certificate, shown, presented);
            }
        }

        return "it shows another certificate than the one that was pinned";
    }

    private static string NamesOf(X509Certificate2 certificate)
    {
        var names = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().FirstOrDefault();
        return names is null ? certificate.Subject : string.Join(", ", names.EnumerateDnsNames().Concat(names.EnumerateIPAddresses().Select(address => address.ToString())));
    }
}
