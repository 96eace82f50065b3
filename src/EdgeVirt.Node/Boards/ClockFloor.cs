using System.Globalization;
using System.Text.Json;
using EdgeVirt.Contracts.Boards;
using EdgeVirt.Node.Hub;

namespace EdgeVirt.Node.Boards;

/// <summary>
/// The latest moment that has passed for sure: a board without a clock chip starts in 1970, and certificates would not hold. Counted are when the image was built,
/// when the card was written, when the board last ran and when the hub last spoke.
/// </summary>
internal static class ClockFloor
{
    // A laptop with a wrong clock must not send a board into a time in which no certificate holds.
    private static readonly TimeSpan LongestLife = TimeSpan.FromDays(20 * 365);

    /// <summary>The floor.</summary>
    public static DateTimeOffset Read(BoardPaths paths, BoardSettings settings, ICollection<string> faults)
    {
        var built = BuildTime(paths.Root);
        if (settings.FlashedAt > built + LongestLife)
        {
            faults.Add($"flashedAt is {settings.FlashedAt:O}, more than 20 years after the image was built: correct the clock of the machine that writes cards");
        }

        DateTimeOffset?[] candidates = [settings.FlashedAt, Modified(paths.Clock), HubTime(paths.DataDir)];
        return candidates.OfType<DateTimeOffset>().Where(moment => moment <= built + LongestLife).Append(built).Max();
    }

    private static DateTimeOffset BuildTime(string root)
    {
        try
        {
            var path = Path.Combine(root, "usr/lib/edgevirt/build-time");
            if (File.Exists(path) && long.TryParse(File.ReadAllText(path).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
            {
                return DateTimeOffset.FromUnixTimeSeconds(seconds);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            // The other file is there in every Debian.
        }

        return Modified(Path.Combine(root, "usr/lib/os-release")) ?? DateTimeOffset.UnixEpoch;
    }

    private static DateTimeOffset? Modified(string path) => File.Exists(path) ? new DateTimeOffset(File.GetLastWriteTimeUtc(path), TimeSpan.Zero) : null;

    private static DateTimeOffset? HubTime(string dataDir)
    {
        try
        {
            var path = Path.Combine(dataDir, "identity", "identity.json");
            return File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllBytes(path), IdentityJson.Default.IdentityRecord)?.LastHubTime : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }
}
