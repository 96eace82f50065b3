using EdgeVirt.Node.Telemetry;

namespace EdgeVirt.Node.Tests.Telemetry;

public sealed class OutboxPowerCutTests
{
    /// <summary>The power goes at every single operation in turn, three times with different survivors, and again during recovery.</summary>
    [Test]
    public void Loses_no_durable_record_wherever_the_power_goes()
    {
        var uncut = new Run(1);
        uncut.Work(new PowerCutStorage(1), groups: 40);
        var operations = uncut.Operations;
        Assert.That(operations, Is.GreaterThan(150));
        var cuts = 0;
        for (var cut = 1; cut <= operations; cut++)
        {
            for (var seed = 0; seed < 12; seed++)
            {
                var run = new Run((cut * 31) + seed);
                var disk = run.Work(new PowerCutStorage(seed) { CutAfter = cut }, groups: 40).Reboot(seed + 1);

                // A second cut, in the middle of coming back up.
                disk.CutAfter = seed % 4 == 0 ? int.MaxValue : (seed * 7) + (cut % 5);
                disk = run.Work(disk, groups: 5).Reboot(seed + 2);
                run.CheckAllArrive(disk, $"cut {cut}, seed {seed}");
                cuts += 2;
            }
        }

        TestContext.Out.WriteLine($"{cuts} cuts over {operations} operations");
        Assert.That(cuts, Is.GreaterThan(2000));
    }

    /// <summary>A node's life across cuts: what it was promised, and what the hub got.</summary>
    private sealed class Run(int seed)
    {
        private readonly Random random = new(seed);
        private readonly HashSet<string> promised = [];
        private readonly Dictionary<(Guid Stream, ulong Sequence), string> hub = [];
        private int next;

        public int Operations { get; private set; }

        public PowerCutStorage Work(PowerCutStorage disk, int groups)
        {
            try
            {
                using var log = disk.OpenLog(segmentBytes: 900);
                for (var i = 0; i < groups; i++)
                {
                    var records = Enumerable.Range(0, random.Next(1, 6)).Select(_ => $"record {next++} " + new string('x', random.Next(120))).ToArray();
                    if (log.Append(records))
                    {
                        promised.UnionWith(records);
                    }

                    if (random.Next(4) == 0 && log.Peek(null, random.Next(1, 12), 600) is { } batch)
                    {
                        using (batch)
                        {
                            Receive(batch);
                            log.Acknowledge(batch);
                        }
                    }

                    if (random.Next(9) == 0)
                    {
                        log.FlushCursor();
                    }
                }
            }
            catch (IOException)
            {
                // The power went while it came up.
            }

            Operations = disk.Operations;
            return disk;
        }

        public void CheckAllArrive(PowerCutStorage disk, string when)
        {
            using var log = disk.OpenLog(segmentBytes: 900);
            Assert.That(log.Append("last"), Is.True, when);
            OutboxPosition? after = null;
            while (log.Peek(after, 10, 600) is { } batch)
            {
                using (batch)
                {
                    Receive(batch);
                    after = batch.End;
                }
            }

            Assert.That(promised.Except(hub.Values), Is.Empty, when);
            Assert.That(hub.Values, Does.Contain("last"), when);
            Assert.That(log.Missing.Dropped, Is.LessThanOrEqualTo((ulong)next), when);
        }

        // As the hub does: the first record of a sequence stays.
        private void Receive(OutboxBatch batch)
        {
            var sequence = batch.FirstSequence;
            foreach (var record in batch.Records)
            {
                hub.TryAdd((batch.Stream, sequence++), System.Text.Encoding.UTF8.GetString(record.Span));
            }
        }
    }
}
