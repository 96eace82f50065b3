using System.Text.Json;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;

namespace EdgeVirt.Cli.Flash.Cards;

/// <summary>A batch as its file holds it.</summary>
/// <param name="Hub">host:port of the hub's node port.</param>
/// <param name="CreatedAt">When the claims were made.</param>
/// <param name="Tokens">In the order in which they are taken.</param>
internal sealed record TokenBatchContent(string Hub, DateTimeOffset CreatedAt, IReadOnlyList<BatchToken> Tokens);

/// <summary>A token of a batch, good for one board.</summary>
internal sealed record BatchToken(string Claim, string Token, DateTimeOffset ExpiresAt)
{
    /// <summary>When it went onto a card; null: it is to be had.</summary>
    public DateTimeOffset? UsedAt { get; init; }

    /// <summary>Node or card that it went to.</summary>
    public string? UsedFor { get; init; }
}

/// <summary>
/// Tokens in a file (0600) for flashing without the hub. A token is marked as used on the disk before anybody gets it, so that none goes onto two cards, whatever
/// ends this process. A lock on a file beside it keeps processes apart.
/// </summary>
internal sealed class TokenBatch(string path, TimeProvider time) : ICardTokens
{
    private static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan LockPause = TimeSpan.FromMilliseconds(20);

    public string? Hub => Read().Hub;

    /// <summary>Writes a new batch; one that is there is left alone, for it may have tokens that nobody used.</summary>
    /// <exception cref="CliException">There is a file of this name.</exception>
    public static void Create(string path, TokenBatchContent content)
    {
        RefuseTaken(path);
        Write(path, content);
    }

    public static void RefuseTaken(string path)
    {
        if (File.Exists(path))
        {
            throw new CliException(ExitCodes.Conflict, $"there is a file '{path}' already.", "It may hold tokens that nobody used. Choose another name for the batch.");
        }
    }

    /// <summary>Fails where there are fewer tokens to be had than cards.</summary>
    public void Require(int cards)
    {
        var (tokens, now) = (Read().Tokens, time.GetUtcNow());
        var usable = tokens.Count(token => IsUsable(token, now));
        if (usable < cards)
        {
            throw Exhausted(tokens, now, $"has {(usable == 0 ? "no token" : $"{usable} token{(usable == 1 ? "" : "s")}")} for {cards} card{(cards == 1 ? "" : "s")}");
        }
    }

    public async Task<CardToken?> TakeAsync(string whom, CancellationToken ct)
    {
        using var held = await LockAsync(ct);
        var (content, now) = (Read(), time.GetUtcNow());
        var tokens = content.Tokens.ToList();
        var next = tokens.FindIndex(token => IsUsable(token, now));
        if (next < 0)
        {
            throw Exhausted(tokens, now, "has no token left");
        }

        var taken = tokens[next];
        tokens[next] = taken with { UsedAt = now, UsedFor = whom };
        Write(path, content with { Tokens = tokens });
        return new CardToken(taken.Claim, taken.Token, taken.ExpiresAt);
    }

    public void Dispose()
    {
    }

    private static bool IsUsable(BatchToken token, DateTimeOffset now) => token.UsedAt is null && token.ExpiresAt > now;

    private static void Write(string path, TokenBatchContent content) =>
        PrivateFile.Write(path, [.. JsonSerializer.SerializeToUtf8Bytes(content, CliJson.Default.TokenBatchContent), (byte)'\n']);

    private TokenBatchContent Read()
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception absent) when (absent is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CliException(ExitCodes.NotFound, $"there is no batch '{path}'.", "'edgevirt node claim create NAME --count N --output-file FILE' makes one.");
        }

        try
        {
            if (JsonSerializer.Deserialize(bytes, CliJson.Default.TokenBatchContent) is { Hub: not null, Tokens: not null } content &&
                content.Tokens.All(token => token is not null && ClaimToken.TryParse(token.Token, out var parsed) && parsed.Claim == token.Claim))
            {
                return content;
            }
        }
        catch (JsonException)
        {
            // The text of a fault could have a part of a token in it.
        }

        throw new CliException(ExitCodes.Invalid, $"'{path}' is no batch of tokens, or it is damaged.", "'edgevirt node claim create NAME --count N --output-file FILE' makes one.");
    }

    private CliException Exhausted(IReadOnlyList<BatchToken> tokens, DateTimeOffset now, string what)
    {
        var (used, expired) = (tokens.Count(token => token.UsedAt is not null), tokens.Count(token => token.UsedAt is null && token.ExpiresAt <= now));
        var last = expired > 0 ? $", the last {Durations.Absolute(tokens.Where(token => token.UsedAt is null).Max(token => token.ExpiresAt))}" : "";
        return new CliException(
            ExitCodes.Invalid,
            $"the batch '{path}' {what}: of {tokens.Count}, {used} {(used == 1 ? "was" : "were")} used and {expired} expired{last}.",
            "Nothing was written to the card. Make another batch where the hub can be reached: 'edgevirt node claim create NAME --count N --output-file FILE'.");
    }

    private async Task<FileStream> LockAsync(CancellationToken ct)
    {
        var begun = time.GetTimestamp();
        while (true)
        {
            try
            {
                // The file stays: removing it would let one process lock a name that another still holds.
                return new FileStream(path + ".lock", new FileStreamOptions
                {
                    Mode = FileMode.OpenOrCreate,
                    Access = FileAccess.ReadWrite,
                    Share = FileShare.None,
                    UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                });
            }
            catch (IOException held) when (held is not (FileNotFoundException or DirectoryNotFoundException))
            {
                if (time.GetElapsedTime(begun) > LockPatience)
                {
                    throw new CliException(ExitCodes.Conflict, $"another process holds '{path}.lock'.", "Another 'edgevirt flash' takes tokens from this batch; try again when it has gone on.");
                }

                await Task.Delay(LockPause, time, ct);
            }
        }
    }
}
