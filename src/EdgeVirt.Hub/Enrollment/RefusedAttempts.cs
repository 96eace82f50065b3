using System.Net;
using System.Net.Sockets;
using EdgeVirt.Hub.Audit;

namespace EdgeVirt.Hub.Enrollment;

/// <summary>
/// Failed attempts by address and action: each is on the audit log until an address has had <see cref="Allowed"/> within a minute;
/// then the log is not flooded by it for the rest of the minute, and enrollment does not listen to it.
/// </summary>
internal sealed class RefusedAttempts(AuditLog audit, TimeProvider time)
{
    /// <summary>Failed attempts per address and minute.</summary>
    public const int Allowed = 10;

    private const int MaxAddresses = 10_000;
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly Lock gate = new();
    private readonly Dictionary<(IPAddress Address, string Action), (long Since, int Count)> attempts = [];

    /// <summary>Whether an address has used up its attempts at something.</summary>
    public bool IsBlocked(IPAddress? address, string action)
    {
        lock (gate)
        {
            return Current((Key(address), action)).Count >= Allowed;
        }
    }

    /// <summary>Counts a failed attempt and puts it on the audit log.</summary>
    public async Task RecordAsync(IPAddress? address, string actor, string action, string reason, CancellationToken ct)
    {
        int count;
        lock (gate)
        {
            var key = (Key(address), action);
            var (since, before) = Current(key);
            count = before + 1;
            if (attempts.Count >= MaxAddresses && !attempts.ContainsKey(key))
            {
                Forget();
            }

            attempts[key] = (since, count);
        }

        if (count <= Allowed)
        {
            var last = count == Allowed ? "; more of this from the same address is not logged for a minute" : "";
            await audit.WriteAsync(actor, action, ok: false, reason + last, ct);
        }
    }

    private (long Since, int Count) Current((IPAddress, string) key) =>
        attempts.TryGetValue(key, out var found) && time.GetElapsedTime(found.Since) < Window ? found : (time.GetTimestamp(), 0);

    private void Forget()
    {
        foreach (var (key, _) in attempts.Where(entry => time.GetElapsedTime(entry.Value.Since) >= Window).ToList())
        {
            attempts.Remove(key);
        }

        if (attempts.Count >= MaxAddresses)
        {
            attempts.Clear();
        }
    }

    // A home or a phone has a whole /64 of IPv6 addresses to try from.
    private static IPAddress Key(IPAddress? address)
    {
        if (address is null)
        {
            return IPAddress.None;
        }

        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        if (plain.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return plain;
        }

        var bytes = plain.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return new IPAddress(bytes);
    }
}
