using EdgeVirt.Node.Telemetry;

namespace EdgeVirt.Node.Tests.Telemetry;

/// <summary>
/// A file system in memory that forgets what was not synced. After <see cref="CutAfter"/> operations the power is gone:
/// every call fails, and <see cref="Reboot"/> gives what a disk may then hold: synced bytes always, unsynced sectors
/// each or not, directory changes up to some point of their order.
/// </summary>
internal sealed class PowerCutStorage(int seed) : IOutboxStorage
{
    private const int Sector = 512;
    private readonly Random random = new(seed);
    private readonly List<(Dictionary<string, Node> After, int Order)> directoryHistory = [];
    private Dictionary<string, Node> names = [];
    private Dictionary<string, Node> durableNames = [];
    private int operations;

    public int CutAfter { get; set; } = int.MaxValue;

    public int Operations => operations;

    public List<string> Quarantined { get; } = [];

    public long FreeBytes { get; set; } = long.MaxValue;

    public IEnumerable<string> Names => names.Keys;

    public byte[] this[string name]
    {
        get => [.. names[name].Content];
        set => names[name] = Node.Durable(value);
    }

    public void Remove(string name) => names.Remove(name);

    public PowerCutStorage Reboot(int nextSeed)
    {
        var next = new PowerCutStorage(nextSeed);
        var kept = random.Next(directoryHistory.Count + 1);
        var surviving = kept == 0 ? durableNames : directoryHistory[kept - 1].After;
        foreach (var (name, node) in surviving)
        {
            next.names[name] = Node.Durable(node.AfterPowerCut(random));
        }

        next.durableNames = new(next.names);
        return next;
    }

    public void EnsureDirectory() => Step();

    public IReadOnlyList<string> List() => [.. names.Keys];

    public IOutboxFile Open(string name, bool create)
    {
        Step();
        if (create)
        {
            names = new(names) { [name] = new Node() };
            Changed();
        }

        return names.TryGetValue(name, out var node) ? new Handle(this, node) : throw new FileNotFoundException(name);
    }

    public void Rename(string from, string to)
    {
        Step();
        var next = new Dictionary<string, Node>(names);
        next.Remove(from, out var node);
        next[to] = node ?? throw new FileNotFoundException(from);
        names = next;
        Changed();
    }

    public void Delete(string name)
    {
        Step();
        var next = new Dictionary<string, Node>(names);
        next.Remove(name);
        names = next;
        Changed();
    }

    public void SyncDirectory()
    {
        Step();
        durableNames = names;
        directoryHistory.Clear();
    }

    public void Quarantine(string name) => Quarantined.Add(name);

    private void Changed() => directoryHistory.Add((names, operations));

    private void Step()
    {
        if (++operations > CutAfter)
        {
            throw new IOException("The power is off.");
        }
    }

    private sealed class Node
    {
        private byte[] durable = [];

        public byte[] Content { get; set; } = [];

        public static Node Durable(byte[] bytes) => new() { Content = [.. bytes], durable = [.. bytes] };

        public void Sync() => durable = [.. Content];

        // Each sector has its old or its new content; the length is the old one, the new one or one in between.
        public byte[] AfterPowerCut(Random random)
        {
            var lengths = new[] { durable.Length, Content.Length, random.Next(Math.Min(durable.Length, Content.Length), Math.Max(durable.Length, Content.Length) + 1) };
            var result = new byte[lengths[random.Next(3)]];
            for (var at = 0; at < result.Length; at += Sector)
            {
                var source = random.Next(2) == 0 ? durable : Content;
                for (var i = at; i < Math.Min(at + Sector, result.Length); i++)
                {
                    // What is the same in both cannot change.
                    var same = i < durable.Length && i < Content.Length && durable[i] == Content[i];
                    result[i] = same ? durable[i] : i < source.Length ? source[i] : (byte)0;
                }
            }

            return result;
        }
    }

    private sealed class Handle(PowerCutStorage storage, Node node) : IOutboxFile
    {
        public long Length => node.Content.Length;

        public int Read(long offset, Span<byte> target)
        {
            var count = (int)Math.Clamp(node.Content.Length - offset, 0, target.Length);
            node.Content.AsSpan((int)Math.Min(offset, node.Content.Length), count).CopyTo(target);
            return count;
        }

        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            storage.Step();
            var end = (int)offset + bytes.Length;
            storage.FreeBytes -= Math.Max(0, end - node.Content.Length);
            if (storage.FreeBytes < 0)
            {
                storage.FreeBytes = 0;
                Put((int)offset, bytes[..(bytes.Length / 2)]);
                throw new IOException("No space left on device");
            }

            Put((int)offset, bytes);
        }

        public void Truncate(long length)
        {
            storage.Step();
            var content = node.Content;
            Array.Resize(ref content, (int)length);
            node.Content = content;
        }

        public void Sync()
        {
            storage.Step();
            node.Sync();
        }

        public void Dispose()
        {
        }

        private void Put(int offset, ReadOnlySpan<byte> bytes)
        {
            var content = new byte[Math.Max(node.Content.Length, offset + bytes.Length)];
            node.Content.CopyTo(content, 0);
            bytes.CopyTo(content.AsSpan(offset));
            node.Content = content;
        }
    }
}
