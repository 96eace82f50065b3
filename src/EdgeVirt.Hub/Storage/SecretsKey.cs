using System.Security.Cryptography;
using System.Text;
using EdgeVirt.Hub.Enrollment;

namespace EdgeVirt.Hub.Storage;

/// <summary>
/// The key under which confidential values lie in the database: 32 random bytes in <c>secrets.key</c>, mode 0600,
/// made at the first start. AES-256-GCM; sealed form: 12 bytes nonce, 16 bytes tag, ciphertext. What a value belongs
/// to is authenticated with it, so that a sealed value cannot be moved to another place.
/// </summary>
internal sealed class SecretsKey : IDisposable
{
    private const int KeyBytes = 32;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;

    private readonly AesGcm cipher;

    private SecretsKey(ReadOnlySpan<byte> key) => cipher = new AesGcm(key, TagBytes);

    /// <summary>Reads the key, or makes it where the database has never seen one.</summary>
    /// <exception cref="HubStorageException">The database was sealed under another key.</exception>
    public static SecretsKey Open(string path, HubDatabase database)
    {
        database.Migrate("secrets-key", ["CREATE TABLE secrets_key (id INTEGER PRIMARY KEY CHECK (id = 1), mark BLOB NOT NULL)"]);
        var known = database.ReadAsync(connection => connection.Scalar<byte[]>("SELECT mark FROM secrets_key"), CancellationToken.None)
            .GetAwaiter().GetResult();
        byte[] key;
        if (File.Exists(path))
        {
            key = File.ReadAllBytes(path);
        }
        else if (known is null)
        {
            key = RandomNumberGenerator.GetBytes(KeyBytes);
            DurableFile.Write(path, key, DurableFile.Private);
        }
        else
        {
            throw new HubStorageException($"{path} is missing, and without it the secrets in the database cannot be read. Restore it from a backup.");
        }

        if (key.Length != KeyBytes || (known is not null && !CryptographicOperations.FixedTimeEquals(known, MarkOf(key))))
        {
            throw new HubStorageException($"{path} is not the key under which the secrets in the database were sealed. Restore the right one from a backup.");
        }

        if (known is null)
        {
            database.WriteAsync(
                (connection, _) => connection.Execute("INSERT INTO secrets_key (id, mark) VALUES (1, $mark)", ("$mark", MarkOf(key))),
                CancellationToken.None).GetAwaiter().GetResult();
        }

        var opened = new SecretsKey(key);
        CryptographicOperations.ZeroMemory(key);
        return opened;
    }

    /// <summary>Encrypts <paramref name="value"/> for <paramref name="place"/>, e.g. <c>Secret/&lt;uid&gt;</c>.</summary>
    public byte[] Seal(ReadOnlySpan<byte> value, string place)
    {
        var result = new byte[NonceBytes + TagBytes + value.Length];
        var nonce = result.AsSpan(0, NonceBytes);
        RandomNumberGenerator.Fill(nonce);
        lock (cipher)
        {
            cipher.Encrypt(
                nonce, value, result.AsSpan(NonceBytes + TagBytes), result.AsSpan(NonceBytes, TagBytes), Encoding.UTF8.GetBytes(place));
        }

        return result;
    }

    /// <summary>Decrypts what <see cref="Seal"/> made for the same place.</summary>
    /// <exception cref="HubStorageException">It was damaged, or sealed for another place.</exception>
    public byte[] Unseal(ReadOnlySpan<byte> stored, string place)
    {
        if (stored.Length < NonceBytes + TagBytes)
        {
            throw new HubStorageException($"The sealed value of {place} is damaged. Set it again.");
        }

        var value = new byte[stored.Length - NonceBytes - TagBytes];
        try
        {
            lock (cipher)
            {
                cipher.Decrypt(
                    stored[..NonceBytes], stored[(NonceBytes + TagBytes)..], stored[NonceBytes..(NonceBytes + TagBytes)], value, Encoding.UTF8.GetBytes(place));
            }
        }
        catch (AuthenticationTagMismatchException e)
        {
            throw new HubStorageException($"The sealed value of {place} is damaged. Set it again.", e);
        }

        return value;
    }

    public void Dispose() => cipher.Dispose();

    private static byte[] MarkOf(ReadOnlySpan<byte> key) => HMACSHA256.HashData(key, "edgevirt hub secrets"u8);
}
