using System.Text;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.State;

namespace EdgeVirt.Node.Tests.State;

public sealed class NodeStoreTests
{
    private StateFixture fixture = null!;

    [SetUp]
    public void SetUp() => fixture = new StateFixture();

    [TearDown]
    public void TearDown() => fixture.Dispose();

    [Test]
    public async Task Knows_nothing_at_first_and_says_so()
    {
        await using var store = fixture.Open();
        var desired = await store.ReadDesiredAsync(default);
        Assert.That(desired.Document, Is.Null);
        Assert.That(fixture.Health.Condition.Status, Is.EqualTo(ConditionStatus.True));
    }

    [Test]
    public async Task Remembers_desired_and_observed_state_across_a_restart()
    {
        var bytes = StateFixture.Document(3).ToBytes();
        await using (var store = fixture.Open())
        {
            await store.AcceptDesiredAsync(7, bytes, default);
            await store.WriteObservedAsync(StateFixture.Observed("w0000"), default);
            await store.WriteObservedAsync(StateFixture.Observed("w0001"), default);
            await store.RemoveObservedAsync("w0000", default);
        }

        await using var again = fixture.Open();
        var desired = await again.ReadDesiredAsync(default);
        var observed = await again.ReadObservedAsync(default);
        Assert.Multiple(() =>
        {
            Assert.That(desired.Revision, Is.EqualTo(7));
            Assert.That(desired.Document!.ToBytes(), Is.EqualTo(bytes));
            Assert.That(desired.Digest.ToArray(), Is.EqualTo(NodeDocument.DigestOf(bytes)));
            Assert.That(observed.Select(workload => workload.Name), Is.EqualTo(new[] { "w0001" }));
            Assert.That(fixture.Quarantined, Is.Empty);
        });
    }

    [Test]
    public async Task Remembers_virtual_machines_from_the_database_alone()
    {
        var document = StateFixture.Document(1) with
        {
            VirtualMachines =
            [
                new DesiredVirtualMachine
                {
                    Name = "router", Uid = "uid-r", Generation = 3,
                    Spec = new VirtualMachineSpec { Memory = new VirtualMemorySpec { Size = Quantity.TryParse("256Mi", out var size) ? size : default } },
                },
            ],
        };
        var seen = new ObservedVirtualMachine("router", "uid-r", new VirtualMachineInstanceStatus { Node = "n1", State = VirtualMachineState.Running });
        await using (var store = fixture.Open())
        {
            await store.AcceptDesiredAsync(1, document.ToBytes(), default);
            await store.WriteObservedAsync(seen, default);
            await store.WriteObservedAsync(seen with { Name = "gone" }, default);
            await store.RemoveObservedMachineAsync("gone", default);
        }

        Directory.Delete(Path.GetDirectoryName(fixture.RevisionFile(1))!, recursive: true);
        await using var again = fixture.Open();
        var desired = await again.ReadDesiredAsync(default);
        Assert.That(desired.Document!.ToBytes(), Is.EqualTo(document.ToBytes()));
        var machines = await again.ReadObservedMachinesAsync(default);
        Assert.That(machines.Select(machine => (machine.Name, machine.Status.State)), Is.EqualTo(new[] { ("router", VirtualMachineState.Running) }));
        Assert.That(await again.ReadObservedAsync(default), Is.Empty);
        Assert.That(fixture.Quarantined, Is.Empty);
    }

    [Test]
    public async Task Replaces_workloads_that_a_newer_revision_leaves_out()
    {
        await using (var store = fixture.Open())
        {
            await store.AcceptDesiredAsync(1, StateFixture.Document(5).ToBytes(), default);
            await store.AcceptDesiredAsync(2, StateFixture.Document(2, "localhost:5000/a:2").ToBytes(), default);
        }

        DeleteRevisionFiles();
        await using var again = fixture.Open();
        var document = (await again.ReadDesiredAsync(default)).Document!;
        Assert.That(document.Workloads, Has.Count.EqualTo(2));
        Assert.That(document.Workloads[0].Template.Containers[0].Image, Is.EqualTo("localhost:5000/a:2"));
    }

    [Test]
    public async Task Takes_a_lower_revision_number_when_the_hub_went_back()
    {
        await using (var store = fixture.Open())
        {
            await store.AcceptDesiredAsync(9, StateFixture.Document(5).ToBytes(), default);
            await store.AcceptDesiredAsync(3, StateFixture.Document(1).ToBytes(), default);
        }

        await using var again = fixture.Open();
        Assert.That((await again.ReadDesiredAsync(default)).Revision, Is.EqualTo(3));
    }

    [Test]
    public async Task Wakes_subscribers_on_change_and_not_when_nothing_changed()
    {
        await using var store = fixture.Open();
        var wakes = 0;
        using (store.Subscribe(StoreArea.Observed, () => wakes++))
        {
            await store.WriteObservedAsync(StateFixture.Observed("a"), default);
            await store.WriteObservedAsync(StateFixture.Observed("a"), default);
            await store.WriteObservedAsync(StateFixture.Observed("a", generation: 2), default);
            await store.AcceptDesiredAsync(1, StateFixture.Document(1).ToBytes(), default);
        }

        await store.RemoveObservedAsync("a", default);
        Assert.That(wakes, Is.EqualTo(2));
    }

    [Test]
    public async Task Keeps_the_last_two_revisions_as_files()
    {
        await using var store = fixture.Open();
        for (ulong revision = 1; revision <= 4; revision++)
        {
            await store.AcceptDesiredAsync(revision, StateFixture.Document((int)revision).ToBytes(), default);
        }

        Assert.That(
            Directory.GetFiles(Path.GetDirectoryName(fixture.RevisionFile(1))!).Select(Path.GetFileName),
            Is.EquivalentTo(new[] { "revision-3.bin", "revision-4.bin" }));
    }

    [Test]
    public async Task Never_writes_a_secret_in_the_clear()
    {
        await using (var store = fixture.Open())
        {
            await store.AcceptDesiredAsync(1, StateFixture.Document(1).ToBytes(), default);
        }

        var secret = "hunter2-hunter2"u8.ToArray();
        var base64 = Encoding.ASCII.GetBytes(Convert.ToBase64String(secret));
        foreach (var path in Directory.GetFiles(fixture.Directory, "*", SearchOption.AllDirectories))
        {
            var content = await File.ReadAllBytesAsync(path);
            Assert.That(content.AsSpan().IndexOf(secret), Is.EqualTo(-1), path);
            Assert.That(content.AsSpan().IndexOf(base64), Is.EqualTo(-1), path);
            Assert.That(File.GetUnixFileMode(path), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite), path);
        }
    }

    [Test]
    public async Task Rolls_forward_when_power_went_between_the_file_and_the_database()
    {
        var older = StateFixture.Document(1).ToBytes();
        var newer = StateFixture.Document(2).ToBytes();
        await using (var store = fixture.Open())
        {
            await store.AcceptDesiredAsync(1, older, default);
        }

        var before = await File.ReadAllBytesAsync(fixture.Database);
        await using (var store = fixture.Open())
        {
            await store.AcceptDesiredAsync(2, newer, default);
        }

        await File.WriteAllBytesAsync(fixture.Database, before);
        await using (var store = fixture.Open())
        {
            Assert.That((await store.ReadDesiredAsync(default)).Revision, Is.EqualTo(2));
        }

        DeleteRevisionFiles();
        await using var again = fixture.Open();
        Assert.That((await again.ReadDesiredAsync(default)).Document!.ToBytes(), Is.EqualTo(newer), "and the database has caught up");
    }

    [Test]
    public async Task Restores_the_data_key_from_its_twin()
    {
        await using (var store = fixture.Open())
        {
            await store.AcceptDesiredAsync(1, StateFixture.Document(1).ToBytes(), default);
        }

        await File.WriteAllTextAsync(Path.Combine(fixture.Options.IdentityDirectory, "data.key"), "gone");
        await using var again = fixture.Open();
        Assert.That((await again.ReadDesiredAsync(default)).Document, Is.Not.Null);
        Assert.That(fixture.Quarantined, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Touches_nothing_when_key_and_twin_are_lost()
    {
        await using (var store = fixture.Open())
        {
            await store.AcceptDesiredAsync(1, StateFixture.Document(1).ToBytes(), default);
        }

        File.Delete(Path.Combine(fixture.Options.IdentityDirectory, "data.key"));
        File.Delete(Path.Combine(fixture.Options.IdentityDirectory, "data.key.copy"));
        await using var again = fixture.Open();
        Assert.That(await again.ReadDesiredAsync(default), Is.EqualTo(DesiredSnapshot.None));
        Assert.That(fixture.Health.Condition.Reason, Is.EqualTo(StorageReasons.Quarantined));

        await again.AcceptDesiredAsync(1, StateFixture.Document(1).ToBytes(), default);
        Assert.That((await again.ReadDesiredAsync(default)).Document, Is.Not.Null);
    }

    [Test]
    public async Task Serves_many_callers_at_once()
    {
        await using (var store = fixture.Open())
        {
            await Parallel.ForAsync(0, 200, async (i, ct) =>
            {
                await store.WriteObservedAsync(StateFixture.Observed($"w{i}"), ct);
                if (i % 50 == 0)
                {
                    await store.AcceptDesiredAsync((ulong)i + 1, StateFixture.Document(5).ToBytes(), ct);
                }
            });
        }

        await using var again = fixture.Open();
        Assert.That(await again.ReadObservedAsync(default), Has.Count.EqualTo(200));
        Assert.That(fixture.Quarantined, Is.Empty);
    }

    private void DeleteRevisionFiles() => Directory.Delete(Path.GetDirectoryName(fixture.RevisionFile(1))!, recursive: true);
}
