using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Hub;
using EdgeVirt.Node.Telemetry;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.Telemetry;

public sealed class OutboxPublisherTests
{
    [Test, CancelAfter(30_000)]
    public async Task Everything_arrives_in_order_and_once_though_the_hub_refuses_now_and_then(CancellationToken ct)
    {
        var disk = new PowerCutStorage(1);
        await using var outbox = new Outbox(disk.OpenLog(segmentBytes: 60_000), TimeProvider.System);
        for (var i = 0; i < 3000; i++)
        {
            _ = outbox.AppendAsync(BitConverter.GetBytes(i), ct);
        }

        Assert.That(await outbox.AppendAsync(BitConverter.GetBytes(3000), ct), Is.True);
        var hub = new FlakyHub();
        using var publisher = new OutboxPublisher(outbox, hub, new NodeOptions(), TimeProvider.System, NullLogger<OutboxPublisher>.Instance);
        while (outbox.Pending > 0)
        {
            try
            {
                await publisher.SendSomeAsync(ct);
            }
            catch (HubUnavailableException)
            {
                // As the service does, but without its pause.
            }
        }

        Assert.That(hub.Refused, Is.GreaterThan(1));
        Assert.That(hub.Stored.Values, Is.EqualTo(Enumerable.Range(0, 3001)));
        Assert.That(hub.LargestBatch, Is.LessThanOrEqualTo(500));
        Assert.That(await publisher.SendSomeAsync(ct), Is.False);
    }

    [Test, CancelAfter(30_000)]
    public async Task The_service_sends_what_is_appended_while_it_runs(CancellationToken ct)
    {
        await using var outbox = new Outbox(new PowerCutStorage(1).OpenLog(), TimeProvider.System);
        var hub = new FlakyHub { RefuseEvery = int.MaxValue };
        using var publisher = new OutboxPublisher(outbox, hub, new NodeOptions(), TimeProvider.System, NullLogger<OutboxPublisher>.Instance);
        await publisher.StartAsync(ct);
        for (var i = 0; i < 10; i++)
        {
            await outbox.AppendAsync(BitConverter.GetBytes(i), ct);
        }

        await hub.WhenStored(10).WaitAsync(ct);
        await publisher.StopAsync(ct);
        Assert.That(hub.Stored.Values, Is.EqualTo(Enumerable.Range(0, 10)));
    }

    [Test, CancelAfter(30_000)]
    public async Task What_the_hub_can_never_take_is_counted_as_lost_and_holds_nothing_up(CancellationToken ct)
    {
        var disk = new PowerCutStorage(1);
        await using (var outbox = new Outbox(disk.OpenLog(), TimeProvider.System))
        {
            for (var i = 0; i < 1200; i++)
            {
                _ = outbox.AppendAsync(BitConverter.GetBytes(i), ct);
            }

            await outbox.AppendAsync(BitConverter.GetBytes(1200), ct);
            var hub = new FlakyHub { RefuseEvery = int.MaxValue, UnreadableSequence = 600 };
            using var publisher = new OutboxPublisher(outbox, hub, new NodeOptions(), TimeProvider.System, NullLogger<OutboxPublisher>.Instance);
            while (await publisher.SendSomeAsync(ct))
            {
            }

            Assert.That(outbox.Pending, Is.Zero, "nothing waits behind it");
            Assert.That(outbox.Missing.Lost, Is.EqualTo((ulong)(1201 - hub.Stored.Count)).And.GreaterThan(0UL));
            Assert.That(hub.Stored.Values, Does.Contain(0).And.Contain(1200).And.Not.Contain(599));

            await outbox.AppendAsync(BitConverter.GetBytes(1201), ct);
            await publisher.SendSomeAsync(ct);
            Assert.That(hub.LostAsTold, Is.EqualTo(outbox.Missing.Lost), "the hub is told with the next batch");
        }

        await using var again = new Outbox(disk.OpenLog(), TimeProvider.System);
        Assert.That(again.Pending, Is.Zero, "it is given up for good");
    }

    private sealed class FlakyHub : IHubPublisher
    {
        private readonly TaskCompletionSource enough = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int calls;
        private int wanted = int.MaxValue;

        public int RefuseEvery { get; init; } = 3;

        /// <summary>A batch with this sequence is refused for good.</summary>
        public ulong? UnreadableSequence { get; init; }

        public ulong LostAsTold { get; private set; }

        public SortedDictionary<ulong, int> Stored { get; } = [];

        public int Refused { get; private set; }

        public int LargestBatch { get; private set; }

        public bool IsConnected => true;

        public Task WhenConnectedAsync(CancellationToken ct) => Task.CompletedTask;

        public Task WhenStored(int count)
        {
            lock (Stored)
            {
                wanted = count;
                Check();
            }

            return enough.Task;
        }

        public async Task PublishAsync(TopicChannel channel, ReadOnlyMemory<byte> payload, CancellationToken ct)
        {
            await Task.Yield();
            lock (Stored)
            {
                if (++calls % RefuseEvery == 0)
                {
                    Refused++;
                    throw new HubUnavailableException("not now");
                }

                Assert.That(channel, Is.EqualTo(TopicChannel.Telemetry));
                var batch = TelemetryBatch.Parser.ParseFrom(payload.Span);
                if (UnreadableSequence - batch.FirstSequence < (ulong)batch.Records.Count)
                {
                    throw new MessageRefusedException("no batch");
                }

                LostAsTold = batch.LostRecords;
                LargestBatch = Math.Max(LargestBatch, batch.Records.Count);
                var sequence = batch.FirstSequence;
                foreach (var record in batch.Records)
                {
                    Stored.TryAdd(sequence++, BitConverter.ToInt32(record.Span));
                }

                Check();
            }
        }

        private void Check()
        {
            if (Stored.Count >= wanted)
            {
                enough.TrySetResult();
            }
        }
    }
}
