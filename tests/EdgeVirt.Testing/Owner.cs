using System.Globalization;

namespace EdgeVirt.Testing;

/// <summary>
/// Whose a thing is that outlives processes (a namespace, a link, a directory): its name carries the id of the test
/// process, so that a later run can remove what one that was killed left behind.
/// </summary>
internal static class Owner
{
    private static int sequence;

    /// <summary>A number that this process has not used yet.</summary>
    public static int NextNumber() => Interlocked.Increment(ref sequence);

    /// <summary>Whether the process that made a thing at a given moment runs no more.</summary>
    /// <param name="pid">The id in the thing's name.</param>
    /// <param name="madeAt">When the thing was made; a process that began later only has the same id.</param>
    public static bool IsGone(string pid, DateTime madeAt)
    {
        if (!int.TryParse(pid, NumberStyles.None, CultureInfo.InvariantCulture, out var id) || id == Environment.ProcessId)
        {
            return false;
        }

        try
        {
            // A clock's tick and file system times are coarse: two seconds make no mistake of it.
            using var process = System.Diagnostics.Process.GetProcessById(id);
            return process.StartTime.ToUniversalTime() > madeAt.ToUniversalTime() + TimeSpan.FromSeconds(2);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return true;
        }
    }
}
