using System.Collections.Concurrent;
using System.Globalization;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Control;

namespace EdgeVirt.Node.VirtualMachines.Consoles;

/// <summary>Who sits at which console or display: one at a time. Safe for use by several threads.</summary>
internal sealed class ConsoleSeats(TimeProvider time)
{
    private static readonly TimeSpan Leaving = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, Seat> taken = new();

    /// <summary>Takes a seat. Dispose it to leave.</summary>
    /// <param name="place">Which: the same words mean the same seat.</param>
    /// <param name="what">For people, at the beginning of a sentence.</param>
    /// <param name="caller">Who asks; empty: somebody on the board.</param>
    /// <param name="force">Takes it from whoever has it, and waits until that one has left.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="ChannelRefusedException">Somebody has it.</exception>
    public async Task<Seat> TakeAsync(string place, string what, string caller, bool force, CancellationToken ct)
    {
        var seat = new Seat(this, place, what, caller.Length > 0 ? $"'{caller}'" : "somebody on the board", time.GetUtcNow());
        while (!taken.TryAdd(place, seat))
        {
            if (!taken.TryGetValue(place, out var holder))
            {
                continue;
            }

            if (!force)
            {
                throw InUse(holder);
            }

            holder.Lose(seat.Holder);
            try
            {
                await holder.Left.WaitAsync(Leaving, time, ct);
            }
            catch (TimeoutException)
            {
                throw new ChannelRefusedException(CloseReason.Failed, $"{what} is still held by {holder.Holder}, who was told to leave; try once more.");
            }
        }

        return seat;
    }

    /// <summary>Refuses if somebody has the seat, without taking it.</summary>
    /// <exception cref="ChannelRefusedException">Somebody has it.</exception>
    public void CheckFree(string place)
    {
        if (taken.TryGetValue(place, out var holder))
        {
            throw InUse(holder);
        }
    }

    private static ChannelRefusedException InUse(Seat holder) => new(
        CloseReason.Conflict,
        string.Create(CultureInfo.InvariantCulture, $"{holder.What} is in use by {holder.Holder} since {holder.Since.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC. Take it over with --force{(holder.CanWatch ? ", or watch with --read-only" : "")}."));

    /// <summary>A seat that is taken.</summary>
    internal sealed class Seat(ConsoleSeats seats, string place, string what, string holder, DateTimeOffset since) : IDisposable
    {
        private readonly CancellationTokenSource lost = new();
        private readonly TaskCompletionSource left = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private volatile string? taker;

        public string What => what;

        /// <summary>For people: who has it.</summary>
        public string Holder => holder;

        public DateTimeOffset Since => since;

        /// <summary>Whether others may look on.</summary>
        public bool CanWatch { get; init; } = place.StartsWith(ConsoleVerb.Place, StringComparison.Ordinal);

        /// <summary>Somebody took it over: the holder has to leave.</summary>
        public CancellationToken Lost => lost.Token;

        /// <summary>The holder has left.</summary>
        public Task Left => left.Task;

        /// <summary>Why the holder had to leave; null: nobody took it over.</summary>
        public ChannelRefusedException? TakenOver => taker is { } by
            ? new ChannelRefusedException(CloseReason.Conflict, $"{what} was taken over by {by}. What went on before stays as it is; --force takes it back.")
            : null;

        public void Lose(string by)
        {
            taker = by;
            try
            {
                lost.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // The holder has left meanwhile.
            }
        }

        public void Dispose()
        {
            seats.taken.TryRemove(new KeyValuePair<string, Seat>(place, this));
            left.TrySetResult();
            lost.Dispose();
        }
    }
}
