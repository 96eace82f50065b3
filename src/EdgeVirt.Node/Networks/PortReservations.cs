namespace EdgeVirt.Node.Networks;

/// <summary>
/// Which sandbox has which node port. A port on every address excludes the same port on any; on different addresses it
/// is different ports. Safe for use by several threads.
/// </summary>
internal sealed class PortReservations
{
    private readonly Lock gate = new();
    private readonly List<(string Owner, Forward Forward)> taken = [];

    /// <summary>All that is reserved.</summary>
    public IReadOnlyList<Forward> All
    {
        get
        {
            lock (gate)
            {
                return [.. taken.Select(entry => entry.Forward)];
            }
        }
    }

    /// <summary>Takes all of them; where another sandbox has one, none, and gives that one and its owner.</summary>
    public (Forward Taken, string By)? Reserve(string id, IReadOnlyList<Forward> forwards)
    {
        lock (gate)
        {
            taken.RemoveAll(entry => entry.Owner == id);
            if (HolderOf(forwards) is { } holder)
            {
                return holder;
            }

            taken.AddRange(forwards.Select(forward => (id, forward)));
            return null;
        }
    }

    public void Release(string id)
    {
        lock (gate)
        {
            taken.RemoveAll(entry => entry.Owner == id);
        }
    }

    /// <summary>What a sandbox has.</summary>
    public IReadOnlyList<Forward> Of(string id)
    {
        lock (gate)
        {
            return [.. taken.Where(entry => entry.Owner == id).Select(entry => entry.Forward)];
        }
    }

    /// <summary>What either sandbox has that stands in the way of <paramref name="forwards"/>, and who else has one of them.</summary>
    public (IReadOnlyList<Forward> Replaced, (Forward Taken, string By)? Holder) Between(string from, string to, IReadOnlyList<Forward> forwards)
    {
        lock (gate)
        {
            var own = taken.Where(entry => (entry.Owner == from || entry.Owner == to) && forwards.Any(entry.Forward.Excludes)).Select(entry => entry.Forward);
            return ([.. own], HolderOf(forwards, from, to));
        }
    }

    /// <summary>Gives <paramref name="to"/> these ports; <paramref name="from"/> keeps what is not among them.</summary>
    public void Move(string from, string to, IReadOnlyList<Forward> forwards)
    {
        lock (gate)
        {
            taken.RemoveAll(entry => (entry.Owner == from || entry.Owner == to) && forwards.Any(entry.Forward.Excludes));
            taken.AddRange(forwards.Select(forward => (to, forward)));
        }
    }

    private (Forward Taken, string By)? HolderOf(IReadOnlyList<Forward> forwards, params ReadOnlySpan<string> butNot)
    {
        foreach (var (owner, held) in taken)
        {
            if (!butNot.Contains(owner) && forwards.FirstOrDefault(held.Excludes) is { } wanted)
            {
                return (wanted, owner);
            }
        }

        return null;
    }
}
