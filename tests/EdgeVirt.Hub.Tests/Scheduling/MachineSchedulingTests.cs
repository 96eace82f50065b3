using System.Text;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Scheduling;

namespace EdgeVirt.Hub.Tests.Scheduling;

/// <summary>Virtual machines from resource to document, and from reports to status.</summary>
internal sealed class MachineSchedulingTests : SchedulerFixture
{
    private const string Publishes = ", interfaces: [{name: lan, ports: [{containerPort: 80, hostPort: 8080}]}]";

    private static readonly string[] Both = ["Workload", "VirtualMachine"];

    [Test]
    public async Task A_node_gets_the_machines_placed_on_it_and_the_secrets_that_they_name()
    {
        await Enroll("a", "{site: oslo}", Both);
        await Enroll("b", "{site: bergen}", Both);
        await Apply(Manifests.Secret("seed", "hunter2"));
        await Apply(Manifests.Secret("registry", "x"));
        await Apply(Manifests.Secret("other", "x"));
        var before = await Revision("b");
        await Apply(Manifests.Machine("guest", ", placement: {nodeSelector: {site: oslo}}, cloudInit: {userDataSecret: {name: seed}}, imagePullSecrets: [{name: registry}]"));
        var document = await Document("a");
        var machine = document.VirtualMachines!.Single();
        Assert.That((machine.Name, machine.Generation, machine.Spec.Memory.Size.ToString(), machine.Spec.Placement), Is.EqualTo(("guest", 1L, "512Mi", (Placement?)null)));
        Assert.That(machine.Uid, Is.EqualTo((await Store.GetAsync(ResourceKind.VirtualMachine, "guest", Soon))!.Metadata.Uid));
        Assert.That(document.Secrets.Select(secret => secret.Name), Is.EqualTo(new[] { "registry", "seed" }));
        Assert.That(Encoding.UTF8.GetString(document.Secrets[1].Data["password"]), Is.EqualTo("hunter2"));
        Assert.That((await Revision("b")).Revision, Is.EqualTo(before.Revision), "a document without machines does not mention them");
        await Store.DeleteAsync(ResourceKind.VirtualMachine, "guest", Soon);
        await PassAsync();
        document = await Document("a");
        Assert.That((document.VirtualMachines, document.Secrets.Count), Is.EqualTo(((IReadOnlyList<DesiredVirtualMachine>?)null, 0)));
    }

    [Test]
    public async Task A_secret_that_is_missing_is_said()
    {
        await Enroll("a", "{}", Both);
        await Apply(Manifests.Machine("guest", ", cloudInit: {userDataSecret: {name: seed}}"));
        var ready = await MachineReady("guest");
        Assert.That((ready.Reason, ready.Message), Is.EqualTo((ReadyReasons.ReferenceMissing, "Does not exist: Secret 'seed'. Apply it, or take it out of the virtual machine.")));
        await Apply(Manifests.Secret("seed", "x"));
        Assert.That((await MachineReady("guest")).Reason, Is.EqualTo(ReadyReasons.Pending));
    }

    [Test]
    public async Task A_machine_gets_what_its_firmware_texts_name_and_runs_without_what_is_optional()
    {
        await Enroll("a", "{}", Both);
        await Apply(Manifests.Secret("boot", "x"));
        await Apply(Manifests.Machine(
            "guest",
            ", ignition: {configSecret: {name: boot}}, smbios: {oemStrings: [{valueFrom: {configKeyRef: {name: site, key: k}}}]}" +
            ", firmwareConfig: [{name: opt/org.example/a, valueFrom: {secretKeyRef: {name: perhaps, key: k, optional: true}}}]"));
        var ready = await MachineReady("guest");
        Assert.That((ready.Reason, ready.Message), Is.EqualTo((ReadyReasons.ReferenceMissing, "Does not exist: Config 'site'. Apply it, or take it out of the virtual machine.")));
        await Apply(Manifests.Config("site", "v"));
        await Apply(Manifests.Secret("perhaps", "y"));
        Assert.That((await MachineReady("guest")).Reason, Is.EqualTo(ReadyReasons.Pending));
        var document = await Document("a");
        Assert.That(document.Secrets.Select(secret => secret.Name), Is.EqualTo(new[] { "boot", "perhaps" }));
        Assert.That(document.Configs.Single().Name, Is.EqualTo("site"));
    }

    [Test]
    public async Task A_workload_and_a_machine_do_not_share_a_port_of_a_node()
    {
        await Enroll("a", "{}", Both);
        await Apply(Manifests.Workload("web", more: "      ports: [{containerPort: 80, hostPort: 8080}]"));
        await Apply(Manifests.Machine("guest", Publishes));
        var waits = await MachineReady("guest");
        Assert.That(waits.Reason, Is.EqualTo(ReadyReasons.PortTaken));
        Assert.That(waits.Message, Does.Contain("8080/TCP is published by workload 'web' on a").And.Contain("delete the workload that has it"));
        Assert.That((await Document("a")).VirtualMachines, Is.Null);

        await Store.DeleteAsync(ResourceKind.Workload, "web", Soon);
        await PassAsync();
        Assert.That((await Document("a")).VirtualMachines, Has.Count.EqualTo(1));
        await Apply(Manifests.Workload("late", more: "      ports: [{containerPort: 80, hostPort: 8080}]"));
        Assert.That((await ReadyOf("late")).Message, Does.Contain("published by virtual machine 'guest' on a").And.Contain("delete the virtual machine that has it"));
    }

    [Test]
    public async Task Reports_become_the_status_and_outlast_a_restart()
    {
        await Enroll("a", "{}", Both);
        await Enroll("b", "{}", Both);
        await Apply(Manifests.Machine("guest"));
        await Report("a", ConditionStatus.True, AcceleratedReasons.Accelerated);
        await Report("b", ConditionStatus.False, AcceleratedReasons.KvmUnproven);
        var status = await MachineStatus("guest");
        Assert.That((status.DesiredInstances, status.ReadyInstances), Is.EqualTo((2, 2)));
        Assert.That(status.Conditions.Select(condition => (condition.Type, condition.Status, condition.Reason)), Is.EqualTo(new[]
        {
            (ConditionTypes.Ready, ConditionStatus.True, ReadyReasons.Ready), (ConditionTypes.Accelerated, ConditionStatus.False, AcceleratedReasons.KvmUnproven),
        }));
        Assert.That(status.Instances.Select(instance => (instance.Node, instance.State, instance.Address)), Is.EqualTo(new[]
        {
            ("a", VirtualMachineState.Running, "10.88.0.9"), ("b", VirtualMachineState.Running, "10.88.0.9"),
        }));

        CloseHub();
        OpenHub();
        await PassAsync();
        Assert.That((await MachineStatus("guest")).ReadyInstances, Is.EqualTo(2));
        await Presence("b", online: false, Both);
        status = await MachineStatus("guest");
        Assert.That(status.Instances[1].Conditions[0].Reason, Is.EqualTo(ReadyReasons.NodeOffline));
        Assert.That(status.Instances[1].State, Is.EqualTo(VirtualMachineState.Running), "what it last said stays to be seen");
    }

    [Test]
    public async Task A_node_whose_agent_does_not_know_the_kind_is_left_out_and_named()
    {
        await Enroll("new", "{}", Both);
        await Enroll("old");
        var before = await Revision("old");
        await Apply(Manifests.Machine("guest"));
        await Apply(Manifests.Machine("single", ", placement: {replicas: 1}"));
        var ready = await MachineReady("guest");
        Assert.That((ready.Status, ready.Reason), Is.EqualTo((ConditionStatus.False, ReadyReasons.AgentTooOld)));
        Assert.That(ready.Message, Is.EqualTo("Placed on 1 of 2: the agents of old do not run virtual machines. Update them, or leave these nodes out by spec.placement.nodeSelector."));
        Assert.That((await MachineReady("single")).Reason, Is.EqualTo(ReadyReasons.Pending), "it has the one node that it asks for");
        Assert.That((await Revision("old")).Revision, Is.EqualTo(before.Revision));

        await Presence("old", online: true, Both);
        Assert.That((await Document("old")).VirtualMachines!.Single().Name, Is.EqualTo("guest"));
        Assert.That((await MachineReady("guest")).Reason, Is.EqualTo(ReadyReasons.Pending));
    }

    [Test]
    public async Task A_node_that_lacks_what_machines_need_is_left_out_and_says_what_to_install()
    {
        const string Missing = "qemu-system-x86_64 is not installed; install the package qemu-system-x86";
        await Enroll("able", "{}", Both);
        await Enroll("bare");
        await Lacks("bare", Missing);
        await Apply(Manifests.Machine("guest"));
        var ready = await MachineReady("guest");
        Assert.That((ready.Status, ready.Reason, ready.Message), Is.EqualTo((ConditionStatus.False, ReadyReasons.CapabilityMissing,
            $"Placed on 1 of 2: bare cannot run virtual machines: {Missing}; or leave these nodes out by spec.placement.nodeSelector.")));

        await Lacks("bare", "qemu-img is not installed; install the package qemu-utils");
        Assert.That((await MachineReady("guest")).Message, Does.Contain("install the package qemu-utils"), "what is missing now");
        await Presence("bare", online: true, Both);
        Assert.That((await Document("bare")).VirtualMachines!.Single().Name, Is.EqualTo("guest"));

        // Where it is already it stays, and its disks with it.
        await Lacks("bare", Missing);
        Assert.That((await Document("bare")).VirtualMachines, Has.Count.EqualTo(1));
        var there = (await MachineStatus("guest")).Instances.Single(instance => instance.Node == "bare").Conditions.Single(condition => condition.Type == ConditionTypes.Ready);
        Assert.That((there.Reason, there.Message), Is.EqualTo((ReadyReasons.CapabilityMissing, $"The node cannot run virtual machines: {Missing}.")));
    }

    [Test]
    public async Task A_node_that_has_not_described_itself_is_waited_for()
    {
        await Store.CreateAsync(Manifests.Node("fresh"), Soon);
        await Apply(Manifests.Machine("guest"));
        var ready = await MachineReady("guest");
        Assert.That((ready.Reason, ready.Message), Is.EqualTo((ReadyReasons.NoMatchingNode, "Placed on 0 of 1: 1 nodes match, and the others are unschedulable or have not said yet what they run.")));
        await Presence("fresh", online: true, Both);
        Assert.That((await Document("fresh")).VirtualMachines, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task An_agent_that_goes_back_to_an_older_version_loses_no_machine()
    {
        await Enroll("a", "{}", Both);
        await Enroll("b", "{}", Both);
        await Apply(Manifests.Machine("guest", ", placement: {replicas: 1}"));
        var before = await Revision("a");
        await Report("a", ConditionStatus.True, AcceleratedReasons.Accelerated);
        await Presence("a", online: true);
        await Instances.ReportAsync("a", full: true, [], Soon);
        await PassAsync();
        Assert.That((await Revision("a")).Revision, Is.EqualTo(before.Revision));
        Assert.That((await Document("b")).VirtualMachines, Is.Null);
        var ready = await MachineReady("guest");
        Assert.That((ready.Reason, ready.Message), Is.EqualTo((ReadyReasons.AgentTooOld,
            "0 of 1 instances are ready; a: The node's agent does not run virtual machines; update it, and it goes on with this one.")));

        await Presence("a", online: true, Both);
        await Report("a", ConditionStatus.True, AcceleratedReasons.Accelerated);
        Assert.That((await MachineReady("guest")).Status, Is.EqualTo(ConditionStatus.True));
    }

    private async Task Report(string node, ConditionStatus accelerated, string reason)
    {
        var uid = (await Store.GetAsync(ResourceKind.VirtualMachine, "guest", Soon))!.Metadata.Uid!;
        var status = new VirtualMachineInstanceStatus
        {
            Node = "liar", ObservedGeneration = 1, State = VirtualMachineState.Running, Address = "10.88.0.9",
            Conditions =
            [
                new Condition { Type = ConditionTypes.Ready, Status = ConditionStatus.True, Reason = ReadyReasons.Ready },
                new Condition { Type = ConditionTypes.Accelerated, Status = accelerated, Reason = reason },
            ],
        };
        await Instances.ReportAsync(node, true, [new InstanceReport(new PlacedKey("VirtualMachine", "guest"), uid, status)], Soon);
        await PassAsync();
    }

    private async Task<VirtualMachineStatus> MachineStatus(string name) =>
        (await Store.GetAsync(ResourceKind.VirtualMachine, name, Soon))!.Status!.Value.Deserialize(ContractsJson.Default.VirtualMachineStatus)!;

    private async Task<Condition> MachineReady(string name) => (await MachineStatus(name)).Conditions.Single(condition => condition.Type == ConditionTypes.Ready);
}
