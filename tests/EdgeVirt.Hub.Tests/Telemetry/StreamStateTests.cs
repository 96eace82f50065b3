using CsCheck;
using EdgeVirt.Hub.Telemetry;

namespace EdgeVirt.Hub.Tests.Telemetry;

public sealed class StreamStateTests
{
    [Test]
    public void Any_order_and_repetition_of_batches_gives_each_record_once() =>
        Gen.Select(Gen.Int[1, 20].Array[1, 30], Gen.Int[0, int.MaxValue]).Sample((sizes, seed) =>
        {
            var random = new Random(seed);
            List<(ulong First, int Count)> batches = [];
            var next = 1UL;
            foreach (var size in sizes)
            {
                batches.Add((next, size));
                next += (ulong)size;
            }

            var sent = batches.Concat(batches.Where(_ => random.Next(2) == 0)).OrderBy(_ => random.Next()).ToList();
            var state = new StreamState();
            List<ulong> stored = [];
            foreach (var (first, count) in sent)
            {
                (state, var fresh) = state.Accept(first, count);
                state = state with { Holes = StreamState.ReadHoles(state.WriteHoles()) };
                stored.AddRange(fresh.SelectMany(range => Enumerable.Range((int)range.First, (int)(range.Last - range.First + 1)).Select(i => (ulong)i)));
            }

            return stored.Order().SequenceEqual(Enumerable.Range(1, (int)next - 1).Select(i => (ulong)i)) && state.Missing == 0 && state.High == next - 1;
        });

    [Test]
    public void A_hole_counts_as_missing_until_it_is_filled()
    {
        var (state, fresh) = new StreamState().Accept(1, 10);
        Assert.That(fresh, Is.EqualTo(new[] { new SequenceRange(1, 10) }));
        (state, fresh) = state.Accept(21, 5);
        Assert.That(fresh, Is.EqualTo(new[] { new SequenceRange(21, 25) }));
        Assert.That(state.Missing, Is.EqualTo(10));
        (state, fresh) = state.Accept(8, 5);
        Assert.That(fresh, Is.EqualTo(new[] { new SequenceRange(11, 12) }));
        Assert.That(state.Missing, Is.EqualTo(8));
        (state, fresh) = state.Accept(1, 25);
        Assert.That(fresh, Is.EqualTo(new[] { new SequenceRange(13, 20) }));
        Assert.That(state.Missing, Is.Zero);
        Assert.That(state.Accept(1, 25).New, Is.Empty);
    }

    [Test]
    public void What_the_node_reports_and_the_holes_are_not_counted_twice()
    {
        var (state, _) = new StreamState().Accept(101, 1);
        Assert.That((state with { Dropped = 60, Lost = 40 }).Missing, Is.EqualTo(100));
        Assert.That((state with { Dropped = 90, Lost = 40 }).Missing, Is.EqualTo(130));
    }

    [Test]
    public void Holes_are_bounded_and_stay_counted()
    {
        var state = new StreamState();
        for (var i = 1UL; i <= 1000; i++)
        {
            (state, _) = state.Accept(i * 2, 1);
        }

        Assert.That(state.Holes, Has.Count.EqualTo(StreamState.MaxHoles));
        Assert.That(state.Missing, Is.EqualTo(1000));
    }
}
