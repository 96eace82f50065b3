using System.Buffers.Text;
using System.Security.Cryptography;
using EdgeVirt.Hub.Enrollment;
using EdgeVirt.Hub.Resources;
using EdgeVirt.Hub.Storage;
using Microsoft.Data.Sqlite;

namespace EdgeVirt.Hub.Access;

/// <summary>A token as it may be shown: not its text.</summary>
/// <param name="Name">Who uses it; goes into the audit log.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="ExpiresAt">When it ends; absent: not by itself.</param>
/// <param name="ReadOnly">It may look, not change.</param>
internal sealed record ApiToken(string Name, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, bool ReadOnly);

/// <summary>
/// Bearer tokens of the API: <c>eva1.</c> and 32 random bytes in base64url. Only SHA-256 hashes are stored. The token
/// <c>admin</c> is made at the first start and lies in a file that only the hub's user can read.
/// </summary>
internal sealed class ApiTokens
{
    public const string Admin = "admin";
    private const string Prefix = "eva1.";
    private const int SecretBytes = 32;
    private const int MaxTokens = 1000;

    private readonly HubDatabase database;
    private readonly TimeProvider time;
    private volatile IReadOnlyList<(ApiToken Token, byte[] Hash)> known = [];

    public ApiTokens(HubDatabase database, HubOptions options, TimeProvider time)
    {
        (this.database, this.time) = (database, time);
        database.Migrate("api-tokens",
        [
            """
            CREATE TABLE api_tokens (
              name TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, created INTEGER NOT NULL, expires INTEGER, read_only INTEGER NOT NULL) WITHOUT ROWID
            """,
        ]);
        known = database.ReadAsync(ReadAll, CancellationToken.None).GetAwaiter().GetResult();
        if (options.ResetAdmin || known.All(entry => entry.Token.Name != Admin))
        {
            MakeAdmin(options.AdminTokenFile, options.ResetAdmin);
        }
    }

    /// <summary>All that have not ended.</summary>
    public IReadOnlyList<ApiToken> List() => [.. known.Select(entry => entry.Token).Where(IsValid)];

    /// <summary>Whose token a text is; null if nobody's, or if it has ended.</summary>
    public ApiToken? Find(string text)
    {
        if (!text.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return null;
        }

        var hash = HashOf(text);
        ApiToken? found = null;
        foreach (var (token, known) in this.known)
        {
            found = CryptographicOperations.FixedTimeEquals(hash, known) ? token : found;
        }

        return found is not null && IsValid(found) ? found : null;
    }

    /// <summary>Makes a token. Its text is in the answer and nowhere else. <paramref name="record"/> may write about it in the same transaction.</summary>
    /// <exception cref="ConflictException">There is one of that name.</exception>
    public async Task<(ApiToken Token, string Text)> CreateAsync(
        string name, DateTimeOffset? expiresAt, bool readOnly, CancellationToken ct, Action<SqliteConnection>? record = null)
    {
        var token = new ApiToken(name, time.GetUtcNow(), expiresAt, readOnly);
        var text = NewText();
        known = await database.WriteAsync(
            (connection, _) =>
            {
                connection.Execute("DELETE FROM api_tokens WHERE expires <= $now", ("$now", time.GetUtcNow().ToUnixTimeMilliseconds()));
                var others = ReadAll(connection);
                if (others.Any(entry => entry.Token.Name == name))
                {
                    throw new ConflictException($"There is a token '{name}'.", "Choose another name, or delete that one first.");
                }

                if (others.Count >= MaxTokens)
                {
                    throw new ConflictException($"There are {MaxTokens} tokens, which is the most there can be.", "Delete those that are not used.");
                }

                Put(connection, token, text);
                record?.Invoke(connection);
                return ReadAll(connection);
            },
            ct);
        return (token, text);
    }

    /// <summary>Ends a token at once; false if there is none of that name. <paramref name="record"/> may write about it in the same transaction.</summary>
    public async Task<bool> DeleteAsync(string name, CancellationToken ct, Action<SqliteConnection>? record = null)
    {
        var (deleted, rest) = await database.WriteAsync(
            (connection, _) =>
            {
                var found = connection.Execute("DELETE FROM api_tokens WHERE name = $name", ("$name", name)) > 0;
                if (found)
                {
                    record?.Invoke(connection);
                }

                return (found, ReadAll(connection));
            },
            ct);
        known = rest;
        return deleted;
    }

    private void MakeAdmin(string file, bool reset)
    {
        // The file is written first. One without a row beside it is from a first start that was cut off.
        var text = !reset && File.Exists(file) ? File.ReadAllText(file).Trim() : "";
        if (!text.StartsWith(Prefix, StringComparison.Ordinal))
        {
            text = NewText();
            DurableFile.Write(file, System.Text.Encoding.UTF8.GetBytes(text + "\n"), DurableFile.Private);
        }

        known = database.WriteAsync(
            (connection, _) =>
            {
                connection.Execute("DELETE FROM api_tokens WHERE name = $name", ("$name", Admin));
                Put(connection, new ApiToken(Admin, time.GetUtcNow(), null, ReadOnly: false), text);
                return ReadAll(connection);
            },
            CancellationToken.None).GetAwaiter().GetResult();
    }

    private bool IsValid(ApiToken token) => token.ExpiresAt is null || token.ExpiresAt > time.GetUtcNow();

    private static string NewText() => Prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(SecretBytes));

    // A hash without salt and stretching is enough for 256 random bits.
    private static byte[] HashOf(string text) => SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text));

    private static void Put(SqliteConnection connection, ApiToken token, string text) => connection.Execute(
        "INSERT INTO api_tokens (name, hash, created, expires, read_only) VALUES ($name, $hash, $created, $expires, $readOnly)",
        ("$name", token.Name),
        ("$hash", HashOf(text)),
        ("$created", token.CreatedAt.ToUnixTimeMilliseconds()),
        ("$expires", token.ExpiresAt?.ToUnixTimeMilliseconds()),
        ("$readOnly", token.ReadOnly));

    private static List<(ApiToken Token, byte[] Hash)> ReadAll(SqliteConnection connection) => connection.Query(
        "SELECT name, created, expires, read_only, hash FROM api_tokens ORDER BY name",
        row => (
            new ApiToken(
                row.GetString(0),
                DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(1)),
                row.IsDBNull(2) ? null : DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(2)),
                row.GetBoolean(3)),
            row.GetFieldValue<byte[]>(4)));
}
