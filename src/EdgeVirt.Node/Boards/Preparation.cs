using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EdgeVirt.Contracts.Boards;
using EdgeVirt.Linux;
using EdgeVirt.Node.Hub;

namespace EdgeVirt.Node.Boards;

/// <summary><c>agent.json</c> of a board: what the agent takes where nobody told it otherwise; see <see cref="NodeOptionsFile"/>.</summary>
internal sealed record PreparedOptions(
    string? BoardHub, string ClaimTokenFile, string? NodeName, IReadOnlyDictionary<string, RegistrySettings>? Registries);

/// <summary>What a preparation changes of the running system.</summary>
/// <param name="Now">What time it is.</param>
/// <param name="SetClock">Sets it.</param>
/// <param name="SetHostName">Names the machine until the next boot.</param>
internal sealed record BoardSystem(Func<DateTimeOffset> Now, Action<DateTimeOffset> SetClock, Action<string> SetHostName)
{
    /// <summary>The machine itself.</summary>
    public static BoardSystem Machine { get; } = new(TimeProvider.System.GetUtcNow, SystemClock.Set, HostName.Set);
}

/// <summary>
/// What a board does with its settings on each boot, before network and agent. Every step can be cut by the power and done again: what outlives a boot is
/// written whole or not at all, and the claim token goes from the card only after the board has it durably.
/// </summary>
/// <param name="paths">Where all is.</param>
/// <param name="system">The machine.</param>
/// <param name="reached">Told each step that is done.</param>
internal sealed class Preparation(BoardPaths paths, BoardSystem system, Action<string> reached)
{
    private const UnixFileMode Secret = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Public = Secret | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode Directories = Public | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly List<string> faults = [];

    /// <summary>Does all of it. What fails is said in the answer and left out: nothing here is worth a board that does not boot.</summary>
    /// <returns>What of the settings is wrong, and what could not be done.</returns>
    public IReadOnlyList<string> Run()
    {
        Try("directories", MakeDirectories);
        var settings = ReadSettings();
        reached("read");
        Try("clock", () => AdvanceClock(settings));
        Try("host name", () => NameHost(settings));
        Try("files", () => WriteFiles(settings));
        Try("agent options", () => WriteRun(
            paths.AgentOptions,
            JsonSerializer.Serialize(new PreparedOptions(settings.Hub, paths.ClaimToken, settings.NodeName, settings.Registries), BoardSettingsJson.Default.PreparedOptions)));
        Try("faults", () => WriteRun(paths.Faults, string.Concat(faults.Select(fault => fault.ReplaceLineEndings(" ") + "\n"))));
        return faults;
    }

    private void MakeDirectories()
    {
        foreach (var name in NetworkFiles.Directories)
        {
            Directory.CreateDirectory(Path.Combine(paths.Run, name), Directories);
        }

        Directory.CreateDirectory(paths.DataDir, Directories & ~(UnixFileMode.GroupRead | UnixFileMode.OtherRead));
        Directory.CreateDirectory(paths.Kept, Secret | UnixFileMode.UserExecute);
    }

    // Those on the card count; the copy serves where they cannot be read or are gone.
    private BoardSettings ReadSettings()
    {
        byte[]? card = null;
        BoardSettings? settings = null;
        Try("card", () =>
        {
            card = CardFile.Read(paths.CardFile);
            List<string> ofToken = [];
            settings = card is null ? null : SettingsText.Read(card, ofToken);
            faults.AddRange(card is not null && File.Exists(paths.ClaimTaken) && CardFile.HasPartOfToken(card)
                ? ofToken.Where(fault => !fault.StartsWith("claimToken", StringComparison.OrdinalIgnoreCase))
                : ofToken);
        });
        if (settings is null)
        {
            List<string> ofCopy = [];
            Try("copy", () => settings = CardFile.Read(paths.Copy) is { } copy ? SettingsText.Read(copy, ofCopy) : null);
            return settings ?? new BoardSettings();
        }

        Keep(card, settings);
        return settings;
    }

    private void Keep(ReadOnlySpan<byte> card, BoardSettings settings)
    {
        var bytes = card.ToArray();
        var isKept = Try("token kept", () => TakeToken(settings.ClaimToken));
        Try("settings kept", () => KeepCopy(settings));
        var isLeft = CardFile.HasToken(bytes) && (settings.ClaimToken is not null || (File.Exists(paths.ClaimTaken) && CardFile.HasPartOfToken(bytes)));
        if (isKept && isLeft)
        {
            Try("token blanked", () => CardFile.BlankTokens(paths.CardFile, bytes));
        }
    }

    // A card that could not be blanked shows its token with each boot; it was used then.
    private void TakeToken(string? text)
    {
        if (!Contracts.ClaimToken.TryParse(text, out var token))
        {
            return;
        }

        var taken = Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(token.Reveal()))) + "\n");
        if (File.Exists(paths.ClaimTaken) && File.ReadAllBytes(paths.ClaimTaken).AsSpan().SequenceEqual(taken))
        {
            return;
        }

        DurableFile.Write(paths.ClaimToken, Encoding.ASCII.GetBytes(token.Reveal() + "\n"), Secret);
        reached("token written");
        DurableFile.Write(paths.ClaimTaken, taken, Secret);
        DurableFile.SyncDirectory(paths.DataDir);
        DurableFile.SyncDirectory(Path.GetDirectoryName(paths.DataDir)!);
    }

    private void KeepCopy(BoardSettings settings)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(settings with { ClaimToken = null }, BoardSettingsJson.Default.BoardSettings);
        if (!File.Exists(paths.Copy) || !File.ReadAllBytes(paths.Copy).AsSpan().SequenceEqual(bytes))
        {
            DurableFile.Write(paths.Copy, bytes, Secret);
        }
    }

    private void AdvanceClock(BoardSettings settings)
    {
        var floor = ClockFloor.Read(paths, settings, faults);
        if (system.Now() < floor)
        {
            system.SetClock(floor);
        }
    }

    // The hub may have given the node another name than it asked for.
    private void NameHost(BoardSettings settings)
    {
        var identity = Path.Combine(paths.DataDir, "identity", "identity.json");
        string? name = null;
        try
        {
            name = File.Exists(identity) ? JsonSerializer.Deserialize(File.ReadAllBytes(identity), IdentityJson.Default.IdentityRecord)?.Node : null;
        }
        catch (JsonException)
        {
            // The agent finds it damaged, and says so.
        }

        if ((name ?? settings.NodeName) is { } wanted)
        {
            system.SetHostName(wanted);
        }
    }

    private void WriteFiles(BoardSettings settings)
    {
        var files = NetworkFiles.Of(settings).ToList();
        if (settings.SshAuthorizedKeys is { Count: > 0 } keys)
        {
            if (RunningImage.Read(paths.Root).Variant == "debug")
            {
                files.Add(new("edgevirt/board/authorized_keys", string.Join('\n', keys) + "\n", IsSecret: true));
            }
            else
            {
                faults.Add("sshAuthorizedKeys are ignored: only the debug image has an SSH server");
            }
        }

        foreach (var file in files)
        {
            WriteRun(Path.Combine(paths.Run, file.Path), file.Text, file.IsSecret ? Secret : Public);
        }

        var wanted = files.Select(file => Path.Combine(paths.Run, file.Path)).ToHashSet();
        var made = NetworkFiles.Directories.SelectMany(name => Directory.EnumerateFiles(Path.Combine(paths.Run, name)));
        foreach (var path in made.Where(path => IsOwn(Path.GetFileName(path)) && !wanted.Contains(path)))
        {
            File.Delete(path);
        }
    }

    private static bool IsOwn(string name) => name is "wpa_supplicant.conf" or "cellular.json" or "authorized_keys" || name.Contains(NetworkFiles.Prefix, StringComparison.Ordinal);

    private static void WriteRun(string path, string text, UnixFileMode mode = Public) => DurableFile.Replace(path, Encoding.UTF8.GetBytes(text), mode);

    private bool Try(string step, Action action)
    {
        try
        {
            action();
            reached(step);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            faults.Add($"{step}: {e.Message}");
            return false;
        }
    }
}
