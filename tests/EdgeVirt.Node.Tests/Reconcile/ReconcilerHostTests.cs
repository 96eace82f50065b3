using EdgeVirt.Node.Reconcile;
using EdgeVirt.Node.State;
using EdgeVirt.Node.Tests.State;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.Reconcile;

public sealed class ReconcilerHostTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private StateFixture fixture = null!;
    private NodeStore store = null!;
    private FakeReconciler reconciler = null!;
    private ReconcilerHost host = null!;

    [SetUp]
    public void SetUp()
    {
        fixture = new StateFixture();
        store = fixture.Open();
        reconciler = new FakeReconciler();
        host = new ReconcilerHost([reconciler], store, fixture.Time, NullLogger<ReconcilerHost>.Instance);
    }

    [TearDown]
    public async Task TearDown()
    {
        await host.StopAsync(default);
        host.Dispose();
        await store.DisposeAsync();
        fixture.Dispose();
    }

    [Test]
    public async Task Runs_every_reconciler_once_at_start()
    {
        await host.StartAsync(default);
        await host.FirstPasses.WaitAsync(Patience);
        Assert.That(reconciler.Passes, Is.EqualTo(1));
    }

    [Test]
    public async Task Every_reconciler_has_taken_back_what_it_held_before_one_makes_a_pass()
    {
        var broken = new FakeReconciler { OnReclaim = () => throw new IOException("disk") };
        var passes = -1;
        var last = new FakeReconciler { OnReclaim = () => passes = reconciler.Passes + broken.Passes };
        using var three = new ReconcilerHost([reconciler, broken, last], store, fixture.Time, NullLogger<ReconcilerHost>.Instance);
        await three.StartAsync(default);
        await three.FirstPasses.WaitAsync(Patience);
        Assert.That(passes, Is.Zero);
        Assert.That((reconciler.Passes, broken.Passes, last.Passes), Is.EqualTo((1, 1, 1)), "also the one that could not");
        await three.StopAsync(default);
    }

    [Test]
    public async Task Wakes_on_what_the_reconciler_reads()
    {
        await host.StartAsync(default);
        await reconciler.PassedAsync(1);
        await store.AcceptDesiredAsync(1, StateFixture.Document(1).ToBytes(), default);
        await reconciler.PassedAsync(2);
    }

    [Test]
    public async Task Wakes_when_the_reconciler_asks()
    {
        await host.StartAsync(default);
        await reconciler.PassedAsync(1);
        reconciler.Wake();
        await reconciler.PassedAsync(2);
    }

    [Test]
    public async Task A_wake_up_during_a_pass_is_not_lost()
    {
        reconciler.OnPass = pass =>
        {
            if (pass == 1)
            {
                reconciler.Wake();
                reconciler.Wake();
            }

            return null;
        };
        await host.StartAsync(default);
        await reconciler.PassedAsync(2);
    }

    [Test]
    public async Task Looks_again_when_the_reconciler_said_so()
    {
        reconciler.OnPass = _ => TimeSpan.FromSeconds(7);
        await host.StartAsync(default);
        await reconciler.PassedAsync(1);
        await AdvanceUntilPassAsync(2, TimeSpan.FromSeconds(7));
    }

    [Test]
    public async Task Backs_off_after_failures_and_carries_on()
    {
        reconciler.OnPass = pass => pass < 3 ? throw new IOException("disk") : null;
        await host.StartAsync(default);
        await reconciler.PassedAsync(1);
        reconciler.Wake();
        await AdvanceUntilPassAsync(2, TimeSpan.FromSeconds(1));
        await AdvanceUntilPassAsync(3, TimeSpan.FromSeconds(2));
    }

    [Test]
    public async Task Is_not_live_while_a_pass_hangs()
    {
        var hang = new TaskCompletionSource();
        reconciler.Hang = hang.Task;
        await host.StartAsync(default);
        await reconciler.PassedAsync(1);
        Assert.That(host.IsLive(TimeSpan.FromMinutes(10)), Is.True);
        fixture.Time.Advance(TimeSpan.FromMinutes(11));
        Assert.That(host.IsLive(TimeSpan.FromMinutes(10)), Is.False);
        hang.SetResult();
    }

    [Test]
    public void Backoff_grows_to_its_cap_and_never_to_nothing()
    {
        var backoff = new Backoff(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(60), new Random(1));
        var delays = Enumerable.Range(0, 100).Select(_ => backoff.Next().TotalSeconds).ToList();
        Assert.Multiple(() =>
        {
            Assert.That(delays[0], Is.InRange(0.5, 1));
            Assert.That(delays[1], Is.InRange(1, 2));
            Assert.That(delays.Skip(6), Is.All.InRange(30, 60));
        });
        backoff.Reset();
        Assert.That(backoff.Next().TotalSeconds, Is.LessThanOrEqualTo(1));
    }

    private async Task AdvanceUntilPassAsync(int pass, TimeSpan step)
    {
        var passed = reconciler.PassedAsync(pass);
        for (var i = 0; i < 50 && !passed.IsCompleted; i++)
        {
            fixture.Time.Advance(step);
            await Task.WhenAny(passed, Task.Delay(20));
        }

        await passed;
    }

    private sealed class FakeReconciler : IReconciler
    {
        private readonly SemaphoreSlim passed = new(0);
        private int seen;

        public event Action? Woken;

        public string Name => "fake";

        public IReadOnlyList<StoreArea> Reads => [StoreArea.Desired];

        public int Passes { get; private set; }

        public Func<int, TimeSpan?> OnPass { get; set; } = _ => null;

        public Task Hang { get; set; } = Task.CompletedTask;

        public Action OnReclaim { get; set; } = () => { };

        public void Wake() => Woken?.Invoke();

        public ValueTask ReclaimAsync(CancellationToken ct)
        {
            OnReclaim();
            return ValueTask.CompletedTask;
        }

        public async Task PassedAsync(int pass)
        {
            while (seen < pass)
            {
                Assert.That(await passed.WaitAsync(Patience), $"pass {pass} did not come");
                seen++;
            }
        }

        public async ValueTask<TimeSpan?> ReconcileAsync(CancellationToken ct)
        {
            Passes++;
            passed.Release();
            await Hang.WaitAsync(ct);
            return OnPass(Passes);
        }
    }
}
