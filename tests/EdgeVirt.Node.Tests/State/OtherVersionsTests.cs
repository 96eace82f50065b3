using System.Text.Json;
using System.Text.Json.Nodes;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.State;

namespace EdgeVirt.Node.Tests.State;

/// <summary>State that an agent stored which knew fewer or more kinds than this one.</summary>
public sealed class OtherVersionsTests
{
    private StateFixture fixture = null!;
    private NodeDocument document = null!;

    [SetUp]
    public void SetUp()
    {
        fixture = new StateFixture();
        document = StateFixture.Document(2) with { VirtualMachines = [MachineOf("plc"), MachineOf("router")] };
    }

    [TearDown]
    public void TearDown() => fixture.Dispose();

    [Test]
    public async Task What_an_older_agent_dropped_is_taken_from_its_revision_file([Values] bool leavesRecords)
    {
        await AcceptAsync(document);
        StoreAsOlder(document, leavesRecords);
        await using (var store = fixture.Open())
        {
            await ExpectWholeAsync(store, document);
        }

        Directory.Delete(Path.GetDirectoryName(fixture.RevisionFile(7))!, recursive: true);
        await using var again = fixture.Open();
        await ExpectWholeAsync(again, document);
        Assert.That((await again.ReadObservedAsync(default)).Select(workload => workload.Name), Is.EqualTo((string[])["w0000"]));
    }

    [Test]
    public async Task What_an_older_agent_dropped_is_asked_for_again_when_no_file_has_it()
    {
        await AcceptAsync(document);
        StoreAsOlder(document, leavesRecords: false);
        Directory.Delete(Path.GetDirectoryName(fixture.RevisionFile(7))!, recursive: true);
        for (var start = 0; start < 2; start++)
        {
            await using var store = fixture.Open();
            var desired = await store.ReadDesiredAsync(default);
            Assert.That((desired.IsWhole, desired.Digest.IsEmpty, desired.Revision), Is.EqualTo((false, true, 7UL)));
            Assert.That(desired.Document!.Workloads, Has.Count.EqualTo(2), "what is known goes on");
            await store.WriteObservedAsync(StateFixture.Observed($"seen{start}"), default);
        }

        await AcceptAsync(document);
        await using var again = fixture.Open();
        await ExpectWholeAsync(again, document);
    }

    [Test]
    public async Task A_document_of_which_nothing_can_be_missing_is_not_asked_for()
    {
        document = document with { VirtualMachines = null };
        await AcceptAsync(document);
        StoreAsOlder(document, leavesRecords: false);
        Directory.Delete(Path.GetDirectoryName(fixture.RevisionFile(7))!, recursive: true);
        await using var store = fixture.Open();
        await ExpectWholeAsync(store, document);
    }

    [Test]
    public async Task What_a_newer_agent_stored_is_no_damage()
    {
        await AcceptAsync(document);
        // It vouches for records of a kind that is unknown here.
        ChangeMeta(meta => (meta["format"], meta["fingerprint"]) = (DesiredRecords.Format + 1, 4711));
        await using var store = fixture.Open();
        await ExpectWholeAsync(store, document);
    }

    private async Task ExpectWholeAsync(NodeStore store, NodeDocument expected)
    {
        var desired = await store.ReadDesiredAsync(default);
        Assert.That(desired.Document!.ToBytes(), Is.EqualTo(expected.ToBytes()));
        Assert.That(desired.IsWhole);
        Assert.That(desired.Digest.ToArray(), Is.EqualTo(NodeDocument.DigestOf(expected.ToBytes())));
        Assert.That(fixture.Quarantined, Is.Empty);
    }

    private async Task AcceptAsync(NodeDocument accepted)
    {
        await using var store = fixture.Open();
        await store.AcceptDesiredAsync(7, accepted.ToBytes(), default);
        await store.WriteObservedAsync(StateFixture.Observed("w0000"), default);
    }

    // Without the machines and without a format, vouching for the rest; records that it does not know it leaves.
    private void StoreAsOlder(NodeDocument accepted, bool leavesRecords)
    {
        var without = accepted with { VirtualMachines = null };
        var digest = NodeDocument.DigestOf(accepted.ToBytes());
        var meta = DesiredRecords.MetaOf(new StoredDesired(new RevisionIdentity(1, 7, digest), without), DesiredRecords.ItemsOf(without));
        var gone = leavesRecords ? [] : (accepted.VirtualMachines ?? []).Select(machine => new StateRecord(new RecordKey(StateDatabase.VirtualMachines, machine.Name), null));
        Write([meta, .. gone]);
        ChangeMeta(json => json.Remove("format"));
    }

    private void ChangeMeta(Action<JsonObject> change)
    {
        using var database = new StateDatabase(fixture.Database);
        var meta = JsonNode.Parse(database.Read().Records.Single(record => record.Key == DesiredRecords.MetaKey).Data)!.AsObject();
        Assert.That(meta.ContainsKey("format"));
        change(meta);
        database.Write([new StateRecord(DesiredRecords.MetaKey, JsonSerializer.SerializeToUtf8Bytes(meta))]);
    }

    private void Write(IReadOnlyList<StateRecord> records)
    {
        using var database = new StateDatabase(fixture.Database);
        database.Read();
        database.Write(records);
    }

    private static DesiredVirtualMachine MachineOf(string name) => new()
    {
        Name = name,
        Uid = $"uid-{name}",
        Generation = 1,
        Spec = new VirtualMachineSpec { Memory = new VirtualMemorySpec { Size = VirtualMachines.Qemu.Guests.QuantityOf("256Mi") } },
    };
}
