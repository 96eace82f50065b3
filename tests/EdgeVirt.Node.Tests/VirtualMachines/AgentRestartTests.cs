using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Networks;
using EdgeVirt.Node.State;
using EdgeVirt.Node.Tests.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines;

/// <summary>What is kept of machines when the agent is started again; no guest runs.</summary>
[Category("root")]
public sealed class AgentRestartTests
{
    private const string Card = "52:54:00:00:00:01";
    private TempDirectory directory = null!;
    private NodeOptions options = null!;

    private string Host => directory.Combine("host.netns");

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        options = new NodeOptions { DataDir = directory.Subdirectory("data"), RunDir = directory.Subdirectory("run") };
        NetworkNamespaces.Create(Host);
    }

    [TearDown]
    public void TearDown()
    {
        NetworkNamespaces.Delete(Host);
        directory.Dispose();
    }

    [Test]
    public async Task A_machine_that_went_on_has_its_ports_in_the_first_rules_and_its_address_before_anybody_takes_one()
    {
        string address;
        await using (var before = new MachineAgent(options, new NoImages(), Host))
        {
            address = before.Network.Take(null);
            before.Records.Load();
            var record = before.Records.Ensure("router", "01234567-router");
            before.Records.Put(record with
            {
                Cards = [new VmCard("lan", Card, address, [new PublishedPort(8080, 80, PortProtocol.TCP, null)])],
                Run = new VmRun(int.MaxValue, 1, DateTimeOffset.UnixEpoch, 1, 1 << 28, 1, IsEmulated: true),
            });
            // Makes the bridge, as there was one.
            await before.Network.OpenAsync(new Attachment("w", directory.Combine("w.netns"), before.Network.Take(null), []), default);
        }

        await using var after = new MachineAgent(options, new NoImages(), Host);
        await after.Reconciler.ReclaimAsync(default);
        // As workloads do, whichever of the two reconcilers comes first.
        await after.Network.RecoverAsync([], default);
        Assert.That(await RulesAsync(after), Does.Contain($"8080 : {address} . 80"), "in the same transaction that makes the table");
        Assert.That(after.Network.Take(null), Is.Not.EqualTo(address));
        Assert.That(after.Network.Reserve("workload", [new Forward("tcp", 8080, "10.88.0.9", 80)])?.By, Is.EqualTo("router-01234567"));
        Assert.That(after.Leases.HostsFile(), Is.EqualTo($"{Card},{address}\n"), "its guest gets the same address when it asks");

        NetworkNamespaces.Delete(directory.Combine("w.netns"));
        await after.Network.RemoveAsync(default);
    }

    [Test]
    public async Task A_machine_that_an_older_agent_dropped_from_the_document_keeps_its_disks_until_the_hub_has_sent_it_whole()
    {
        var machine = new DesiredVirtualMachine
        {
            Name = "router", Uid = "01234567-router", Generation = 1, Spec = new VirtualMachineSpec { Power = VirtualMachinePower.Stopped, Memory = new VirtualMemorySpec { Size = Guests.QuantityOf("256Mi") } },
        };
        var whole = new NodeDocument { Node = "n1", VirtualMachines = [machine] };
        string disk;
        await using (var before = new MachineAgent(options, new NoImages(), Host))
        {
            await before.DesireAsync(1, machine);
            before.Records.Ensure("router", machine.Uid);
            disk = VmPaths.Of(options, "router-01234567").Disk("root");
            Directory.CreateDirectory(Path.GetDirectoryName(disk)!);
            await File.WriteAllTextAsync(disk, "all that there is");
        }

        // As it is stored by an agent that knows no machines, with the files of its revisions lost.
        var without = whole with { VirtualMachines = null };
        var meta = DesiredRecords.MetaOf(
            new StoredDesired(new RevisionIdentity(1, 1, NodeDocument.DigestOf(whole.ToBytes())), without) { IsWhole = false }, DesiredRecords.ItemsOf(without));
        using (var database = new StateDatabase(Path.Combine(options.StateDirectory, "node.db")))
        {
            database.Read();
            database.Write([new StateRecord(new RecordKey(StateDatabase.VirtualMachines, "router"), null), meta]);
        }

        Directory.Delete(Path.Combine(options.StateDirectory, "desired"), recursive: true);
        await using var after = new MachineAgent(options, new NoImages(), Host);
        await after.Reconciler.ReclaimAsync(default);
        await after.Reconciler.ReconcileAsync(default);
        await after.Reconciler.SettledAsync();
        Assert.That(File.Exists(disk), "a document without machines says nothing of them");

        await after.DesireAsync(1, machine);
        await after.UntilAsync("router", status => status.State == VirtualMachineState.Stopped);
        Assert.That(File.Exists(disk), "and they are wanted still");

        await after.DesireAsync(2);
        await after.UntilGoneAsync("router");
        Assert.That(File.Exists(disk), Is.False, "one that nobody wants goes");
    }

    private static async Task<string> RulesAsync(MachineAgent agent) =>
        (await agent.Network.RunAsync("nft", ["list", "map", "ip", FirewallRules.Table, "tcp_ports"], TimeSpan.FromSeconds(10), default)).Output;

    private sealed class NoImages : IContainerImages
    {
        public Task<StoredImage> EnsureAsync(ImageReference reference, ImagePullPolicy policy, CancellationToken ct) => throw new NotSupportedException();

        public Task CollectGarbageAsync(IReadOnlySet<string> manifestDigestsInUse, CancellationToken ct) => Task.CompletedTask;
    }
}
