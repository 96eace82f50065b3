using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using EdgeVirt.Node.VirtualMachines.Qmp;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.VirtualMachines.GuestAgents;

/// <summary>
/// What is asked of a guest's own agent (qemu-ga), where it has one. It is asked only while somebody in the guest holds the channel
/// open, which QEMU knows; so a guest without one costs no time.
/// </summary>
/// <param name="socket">Where QEMU gives the channel.</param>
/// <param name="monitor">Of that QEMU.</param>
/// <param name="time">Measures the waits.</param>
/// <param name="log">Told what the guest did not do.</param>
internal sealed partial class GuestAgent(string socket, QmpClient monitor, TimeProvider time, ILogger log)
{
    /// <summary>The channel's name at QEMU.</summary>
    public const string Channel = "agent0";

    private const int MostAddresses = 64;
    private const int ThawAttempts = 3;
    private static readonly TimeSpan FreezeTimeout = TimeSpan.FromSeconds(10);
    private const string SetTime = "guest-set-time";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <summary>Has all of the guest's file systems written out and at rest until what is returned is disposed of. Null: it has no agent, or that cannot.</summary>
    public async Task<IAsyncDisposable?> FreezeAsync(CancellationToken ct)
    {
        if (!await IsOpenAsync(ct))
        {
            return null;
        }

        try
        {
            await using var connection = await GuestAgentConnection.OpenAsync(socket, time, ct);
            var frozen = await connection.ExecuteAsync("guest-fsfreeze-freeze", FreezeTimeout, ct);
            if (frozen.ValueKind == JsonValueKind.Number && frozen.TryGetInt64(out var count) && count > 0)
            {
                return new Frozen(this);
            }
        }
        catch (GuestAgentException e)
        {
            LogNotFrozen(log, e.Message);
        }
        catch (OperationCanceledException)
        {
            await ThawAsync(CancellationToken.None);
            throw;
        }

        // It may have frozen some before it failed, or after nobody waited for it any more.
        await ThawAsync(ct);
        return null;
    }

    /// <summary>Has the guest's file systems go on. Harmless where they do already.</summary>
    public async Task ThawAsync(CancellationToken ct)
    {
        for (var i = 1; await IsOpenAsync(ct); i++)
        {
            try
            {
                await using var connection = await GuestAgentConnection.OpenAsync(socket, time, ct);
                await connection.ExecuteAsync("guest-fsfreeze-thaw", FreezeTimeout, ct);
                return;
            }
            catch (GuestAgentException e)
            {
                LogNotThawed(log, e.Message);
                if (i >= ThawAttempts)
                {
                    return;
                }
            }
        }
    }

    /// <summary>Asks the guest to switch itself off. False: it has no agent, or that refuses.</summary>
    public async Task<bool> TryShutDownAsync(CancellationToken ct)
    {
        try
        {
            if (!await IsOpenAsync(ct))
            {
                return false;
            }

            await using var connection = await GuestAgentConnection.OpenAsync(socket, time, ct);
            await connection.TellAsync("guest-shutdown", ct);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>
    /// Has the guest set its clock by its machine's hardware clock, which went on while the guest stood still. Where it has no program for that
    /// (hwclock), it is told the node's time. False: it has no agent.
    /// </summary>
    /// <exception cref="GuestAgentException">It has one, which does not answer or refuses both.</exception>
    public async Task<bool> TrySetClockAsync(CancellationToken ct)
    {
        if (!await IsOpenAsync(ct))
        {
            return false;
        }

        await using var connection = await GuestAgentConnection.OpenAsync(socket, time, ct);
        try
        {
            await connection.ExecuteAsync(SetTime, Patience, ct);
        }
        catch (GuestAgentRefusedException)
        {
            await connection.ExecuteAsync(SetTime, Patience, ct, new JsonObject { ["time"] = time.GetUtcNow().ToUnixTimeMilliseconds() * 1_000_000 });
        }

        return true;
    }

    /// <summary>
    /// The addresses that the guest has given its network cards, by their hardware addresses. Its own words: to be shown, not to be relied on. Null: it
    /// has no agent.
    /// </summary>
    /// <exception cref="GuestAgentException">It has one, which does not answer.</exception>
    public async Task<IReadOnlyList<(string MacAddress, IPAddress Address)>?> AddressesAsync(CancellationToken ct)
    {
        if (!await IsOpenAsync(ct))
        {
            return null;
        }

        await using var connection = await GuestAgentConnection.OpenAsync(socket, time, ct);
        return AddressesIn(await connection.ExecuteAsync("guest-network-get-interfaces", Patience, ct));
    }

    /// <summary>What of an answer to <c>guest-network-get-interfaces</c> are addresses. Pure.</summary>
    internal static IReadOnlyList<(string MacAddress, IPAddress Address)> AddressesIn(JsonElement answer)
    {
        List<(string, IPAddress)> found = [];
        foreach (var card in Items(answer))
        {
            if (TextOf(card, "hardware-address") is not { Length: 17 } mac || !card.TryGetProperty("ip-addresses", out var addresses))
            {
                continue;
            }

            foreach (var address in Items(addresses))
            {
                if (found.Count < MostAddresses && TextOf(address, "ip-address") is { Length: < 64 } text && IPAddress.TryParse(text, out var parsed) && !IPAddress.IsLoopback(parsed))
                {
                    found.Add((mac.ToLowerInvariant(), parsed));
                }
            }
        }

        return found;
    }

    private async Task<bool> IsOpenAsync(CancellationToken ct)
    {
        foreach (var channel in (await monitor.ExecuteAsync("query-chardev", ct: ct)).EnumerateArray())
        {
            if (TextOf(channel, "label") == Channel)
            {
                return channel.TryGetProperty("frontend-open", out var open) && open.ValueKind == JsonValueKind.True;
            }
        }

        return false;
    }

    private static IEnumerable<JsonElement> Items(JsonElement array) => array.ValueKind == JsonValueKind.Array ? array.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.Object) : [];

    private static string? TextOf(JsonElement element, string name) => element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    [LoggerMessage(Level = LogLevel.Warning, Message = "The guest's file systems are not brought to rest: {Why}")]
    private static partial void LogNotFrozen(ILogger log, string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The guest's file systems may still be at rest: {Why}")]
    private static partial void LogNotThawed(ILogger log, string why);

    private sealed class Frozen(GuestAgent agent) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            try
            {
                // Whatever happened meanwhile, and also where the agent ends.
                await agent.ThawAsync(CancellationToken.None);
            }
            catch (QmpException)
            {
                // QEMU is gone or hangs; whoever settles the snapshot has it go on.
            }
        }
    }
}
