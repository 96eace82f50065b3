using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Control;
using EdgeVirt.Node.VirtualMachines.Consoles;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Consoles;

public sealed class ConsoleSeatsTests
{
    private const string Router = ConsoleVerb.Place + "router-1";

    private FakeTimeProvider time = null!;
    private ConsoleSeats seats = null!;

    [SetUp]
    public void SetUp() => seats = new ConsoleSeats(time = new FakeTimeProvider(new DateTimeOffset(2026, 11, 27, 5, 0, 0, TimeSpan.Zero)));

    [Test]
    public async Task A_second_one_is_refused_with_who_has_it_and_since_when()
    {
        using var first = await TakeAsync("alice");
        var refusal = (await Assert.ThrowsAsync<ChannelRefusedException>(() => TakeAsync("bob")))!;
        Assert.That((refusal.Reason, refusal.Message), Is.EqualTo((
            CloseReason.Conflict,
            "The console of 'router' is in use by 'alice' since 2026-11-27 05:00:00 UTC. Take it over with --force, or watch with --read-only.")));
        Assert.That(() => seats.CheckFree(Router), Throws.TypeOf<ChannelRefusedException>());
        Assert.That((first.Lost.IsCancellationRequested, first.TakenOver), Is.EqualTo((false, (ChannelRefusedException?)null)));
    }

    [Test]
    public async Task Seats_are_one_for_each_place_and_free_when_who_had_them_left()
    {
        using (await TakeAsync("alice"))
        {
            using var other = await seats.TakeAsync("display router-1", "The display of 'router'", "bob", force: false, default);
        }

        using var next = await TakeAsync("bob");
        Assert.That(next.Holder, Is.EqualTo("'bob'"));
    }

    [Test]
    public async Task Force_tells_the_holder_who_took_it_and_waits_until_he_left()
    {
        var first = await TakeAsync("");
        var taking = TakeAsync("bob", force: true);
        Assert.That(first.Lost.IsCancellationRequested);
        Assert.That(taking.IsCompleted, Is.False, "he has not left");
        Assert.That((first.TakenOver!.Reason, first.TakenOver.Message), Is.EqualTo((CloseReason.Conflict, first.TakenOver.Message)));
        Assert.That(first.TakenOver.Message, Does.StartWith("The console of 'router' was taken over by 'bob'."));
        first.Dispose();
        using var second = await taking;
        Assert.That((await Assert.ThrowsAsync<ChannelRefusedException>(() => TakeAsync("carol")))!.Message, Does.Contain("'bob'"));
        second.Dispose();
        Assert.That(() => seats.CheckFree(Router), Throws.Nothing);
    }

    [Test]
    public async Task Of_two_that_force_at_the_same_time_one_has_it_and_the_other_was_told()
    {
        var first = await TakeAsync("alice");
        var bob = TakeAsync("bob", force: true);
        var carol = TakeAsync("carol", force: true);
        first.Dispose();
        var winner = await await Task.WhenAny(bob, carol).WaitAsync(TimeSpan.FromSeconds(10));
        var loser = winner.Holder == "'bob'" ? carol : bob;
        await Task.Run(async () =>
        {
            while (!winner.Lost.IsCancellationRequested)
            {
                await Task.Delay(5);
            }
        }).WaitAsync(TimeSpan.FromSeconds(10));
        winner.Dispose();
        using var last = await loser.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.That(last.TakenOver, Is.Null);
    }

    [Test]
    public async Task A_holder_that_does_not_leave_is_not_waited_for_without_end()
    {
        using var first = await TakeAsync("alice");
        var taking = TakeAsync("bob", force: true);
        time.Advance(TimeSpan.FromSeconds(6));
        Assert.That((await Assert.ThrowsAsync<ChannelRefusedException>(() => taking))!.Message, Does.Contain("still held by 'alice'"));
    }

    private Task<ConsoleSeats.Seat> TakeAsync(string caller, bool force = false) => seats.TakeAsync(Router, "The console of 'router'", caller, force, default);
}
