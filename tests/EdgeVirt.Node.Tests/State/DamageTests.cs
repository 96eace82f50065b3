using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.State;

namespace EdgeVirt.Node.Tests.State;

/// <summary>Whatever happens to the files, the store opens and gives the newest or the previous revision.</summary>
public sealed class DamageTests
{
    private const int PageBytes = 8192;

    private StateFixture fixture = null!;
    private byte[] older = null!;
    private byte[] newer = null!;

    [SetUp]
    public async Task SetUp()
    {
        fixture = new StateFixture();
        older = StateFixture.Document(3).ToBytes();
        newer = StateFixture.Document(4, "localhost:5000/a:2").ToBytes();
        await using var store = fixture.Open();
        await store.AcceptDesiredAsync(1, older, default);
        await store.WriteObservedAsync(StateFixture.Observed("w0000"), default);
        await store.AcceptDesiredAsync(2, newer, default);
    }

    [TearDown]
    public void TearDown() => fixture.Dispose();

    [Test]
    public async Task Survives_flipped_bits_anywhere_in_the_database()
    {
        var sound = await File.ReadAllBytesAsync(fixture.Database);
        var random = new Random(1);
        for (var page = 0; page < sound.Length / PageBytes; page++)
        {
            // The page header and its slots are where LiteDB's own structure lies.
            int[] offsets = [.. Enumerable.Range(0, 4).Select(_ => random.Next(32)), .. Enumerable.Range(0, 3).Select(_ => random.Next(PageBytes)), PageBytes - 1 - random.Next(32)];
            foreach (var offset in offsets)
            {
                var damaged = sound.ToArray();
                damaged[(page * PageBytes) + offset] ^= (byte)(1 << random.Next(8));
                await OpensWithNewest(damaged, $"page {page}, byte {offset}");
            }
        }
    }

    [Test]
    public async Task Survives_whole_pages_of_zeros_or_noise()
    {
        var sound = await File.ReadAllBytesAsync(fixture.Database);
        var random = new Random(2);
        for (var page = 0; page < sound.Length / PageBytes; page++)
        {
            var zeros = sound.ToArray();
            zeros.AsSpan(page * PageBytes, PageBytes).Clear();
            await OpensWithNewest(zeros, $"zeros in page {page}");

            var noise = sound.ToArray();
            random.NextBytes(noise.AsSpan(page * PageBytes, PageBytes));
            await OpensWithNewest(noise, $"noise in page {page}");
        }
    }

    [Test]
    public async Task Survives_a_database_cut_short_anywhere()
    {
        var sound = await File.ReadAllBytesAsync(fixture.Database);
        for (var length = 0; length < sound.Length; length += PageBytes / 2)
        {
            await OpensWithNewest(sound[..length], $"cut at {length}");
        }
    }

    [Test]
    public async Task Survives_a_journal_of_noise()
    {
        var noise = new byte[3 * PageBytes];
        new Random(3).NextBytes(noise);
        await File.WriteAllBytesAsync(Path.Combine(fixture.Options.StateDirectory, "node-log.db"), noise);
        await OpensWithNewest(await File.ReadAllBytesAsync(fixture.Database), "journal");
    }

    [Test]
    public async Task Reports_a_missing_database_and_rebuilds_it()
    {
        File.Delete(fixture.Database);
        await using (var store = fixture.Open())
        {
            Assert.That((await store.ReadDesiredAsync(default)).Document!.ToBytes(), Is.EqualTo(newer));
        }

        var condition = fixture.Health.Condition;
        Assert.That(condition.Reason, Is.EqualTo(StorageReasons.Quarantined));
        Assert.That(condition.Message, Does.Contain("missing"));
        Assert.That(File.Exists(fixture.Database));
    }

    [Test]
    public async Task Falls_back_to_the_previous_revision_when_database_and_newest_file_are_both_damaged()
    {
        File.Delete(fixture.Database);
        Flip(fixture.RevisionFile(2), 100);
        await using var store = fixture.Open();
        var desired = await store.ReadDesiredAsync(default);
        Assert.That(desired.Revision, Is.EqualTo(1));
        Assert.That(desired.Document!.ToBytes(), Is.EqualTo(older));
    }

    [Test]
    public async Task Keeps_what_was_seen_when_only_desired_records_are_damaged()
    {
        await using (var store = fixture.Open())
        {
            await store.ReadDesiredAsync(default);
        }

        using (var database = new StateDatabase(fixture.Database))
        {
            database.Write([new StateRecord(DesiredRecords.MetaKey, null)]);
        }

        await using var again = fixture.Open();
        Assert.That(await again.ReadObservedAsync(default), Has.Count.EqualTo(1));
        Assert.That((await again.ReadDesiredAsync(default)).Revision, Is.EqualTo(2));
        Assert.That(fixture.Quarantined, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Rewrites_a_damaged_revision_file_from_the_database()
    {
        var sound = await File.ReadAllBytesAsync(fixture.RevisionFile(2));
        for (var offset = 0; offset < sound.Length; offset += 7)
        {
            await File.WriteAllBytesAsync(fixture.RevisionFile(2), sound);
            Flip(fixture.RevisionFile(2), offset);
            await using var store = fixture.Open();
            var desired = await store.ReadDesiredAsync(default);
            Assert.That(desired.Revision, Is.EqualTo(2), $"byte {offset}");
            Assert.That(File.Exists(fixture.RevisionFile(2)), $"byte {offset}");
        }

        Assert.That(fixture.Quarantined, Has.Count.LessThanOrEqualTo(Quarantine.MostEntries));
    }

    [Test]
    public async Task Survives_revision_files_cut_short_with_the_database_gone()
    {
        var sound = await File.ReadAllBytesAsync(fixture.RevisionFile(2));
        for (var length = 0; length < sound.Length; length += 13)
        {
            File.Delete(fixture.Database);
            await File.WriteAllBytesAsync(fixture.RevisionFile(2), sound[..length]);
            await using var store = fixture.Open();
            Assert.That((await store.ReadDesiredAsync(default)).Revision, Is.EqualTo(1), $"cut at {length}");
        }
    }

    [Test]
    public async Task Keeps_what_was_seen_when_the_agent_was_killed_with_the_database_open()
    {
        var seal = new DatabaseSeal(fixture.Database);
        seal.Open();
        await using var store = fixture.Open();
        Assert.That(await store.ReadObservedAsync(default), Has.Count.EqualTo(1));
        Assert.That(fixture.Quarantined, Is.Empty);
    }

    [TestCase("open another-boot")]
    [TestCase("recovering this-boot")]
    public async Task Trusts_no_page_that_was_being_written_when_power_went(string seal)
    {
        var noise = await File.ReadAllBytesAsync(fixture.Database);
        new Random(4).NextBytes(noise);
        await File.WriteAllBytesAsync(fixture.Database, noise);
        await File.WriteAllTextAsync(fixture.Database + ".seal", seal);
        await using (var store = fixture.Open())
        {
            Assert.That((await store.ReadDesiredAsync(default)).Document!.ToBytes(), Is.EqualTo(newer));
        }

        Assert.That(new DatabaseSeal(fixture.Database).Check(), Is.EqualTo(SealState.Sound));
        Assert.That(fixture.Quarantined, Is.Empty, "that is no damage");
    }

    [Test]
    public async Task Forgets_the_damage_after_a_day()
    {
        File.Delete(fixture.Database);
        await using (var store = fixture.Open())
        {
            await store.ReadDesiredAsync(default);
        }

        Assert.That(fixture.Health.Condition.Status, Is.EqualTo(ConditionStatus.False));
        fixture.Time.Advance(TimeSpan.FromHours(25));
        Assert.That(fixture.Health.Condition.Status, Is.EqualTo(ConditionStatus.True));
    }

    private static void Flip(string path, int offset)
    {
        var bytes = File.ReadAllBytes(path);
        bytes[offset] ^= 0x10;
        File.WriteAllBytes(path, bytes);
    }

    private async Task OpensWithNewest(byte[] database, string how)
    {
        await File.WriteAllBytesAsync(fixture.Database, database);
        await using (var store = fixture.Open())
        {
            var desired = await store.ReadDesiredAsync(default).AsTask().WaitAsync(TimeSpan.FromSeconds(20));
            Assert.That(desired.Revision, Is.EqualTo(2), how);
            Assert.That(desired.Document!.ToBytes(), Is.EqualTo(newer), how);
            await store.WriteObservedAsync(StateFixture.Observed("w0003", Random.Shared.Next(1, 1_000_000)), default);
        }

        File.Delete(Path.Combine(fixture.Options.StateDirectory, "node-log.db"));
    }
}
