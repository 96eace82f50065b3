namespace EdgeVirt.Hub.Api;

/// <summary>
/// What happens again and again at once, such as the connections of a forwarded port, is put on the audit log once a minute:
/// else it would push everything else out.
/// </summary>
internal sealed class AuditThrottle(TimeProvider time)
{
    private const int MostEntries = 1000;
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(1);

    private readonly Lock gate = new();
    private readonly Dictionary<string, DateTimeOffset> last = [];

    /// <summary>Whether it is due; if so, it is not again for a minute.</summary>
    public bool IsDue(string what)
    {
        var now = time.GetUtcNow();
        lock (gate)
        {
            if (last.TryGetValue(what, out var before) && now - before < Quiet)
            {
                return false;
            }

            if (last.Count >= MostEntries)
            {
                // Rather an entry too many than one too few.
                last.Clear();
            }

            last[what] = now;
            return true;
        }
    }
}
