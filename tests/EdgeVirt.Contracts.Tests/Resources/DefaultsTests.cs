using System.Text.Json;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Resources;

/// <summary>What a text leaves out has the default that the record states, never null.</summary>
public sealed class DefaultsTests
{
    [Test]
    public void A_claim_without_uses_is_for_one_board()
    {
        var read = Manifest.Parse("apiVersion: edgevirt.io/v1\nkind: BoardClaim\nmetadata: {name: c}\nspec: {}\n");
        Assert.That(read.Errors, Is.Empty);
        Assert.That(read.Resources[0].SpecOf<BoardClaimSpec>().MaxUses, Is.EqualTo(1));
    }

    [Test]
    public void A_config_without_data_is_empty()
    {
        var read = Manifest.Parse("apiVersion: edgevirt.io/v1\nkind: Config\nmetadata: {name: c}\nspec: {}\n");
        Assert.That(read.Errors, Is.Empty);
        Assert.That(read.Resources[0].SpecOf<ConfigSpec>().Data, Is.Empty);
    }

    [Test]
    public void Statuses_of_all_kinds_begin_and_end_alike()
    {
        Assert.That(
            JsonSerializer.Serialize(new WorkloadStatus { DesiredInstances = 1, Instances = [new WorkloadInstanceStatus { Node = "n", Address = "a" }] }, ContractsJson.Default.WorkloadStatus),
            Is.EqualTo("""{"desiredInstances":1,"readyInstances":0,"instances":[{"node":"n","observedGeneration":0,"address":"a","containers":[],"conditions":[]}],"conditions":[]}"""));
        Assert.That(
            JsonSerializer.Serialize(new VirtualMachineStatus { Instances = [new VirtualMachineInstanceStatus { Node = "n" }] }, ContractsJson.Default.VirtualMachineStatus),
            Is.EqualTo("""{"desiredInstances":0,"readyInstances":0,"instances":[{"node":"n","observedGeneration":0,"state":"Waiting","restartCount":0,"resetCount":0,"conditions":[]}],"conditions":[]}"""));
    }

    [Test]
    public void Statuses_and_documents_have_empty_lists()
    {
        var status = JsonSerializer.Deserialize("{}", ContractsJson.Default.WorkloadStatus)!;
        var instance = JsonSerializer.Deserialize("""{"node":"n"}""", ContractsJson.Default.WorkloadInstanceStatus)!;
        var node = JsonSerializer.Deserialize("{}", ContractsJson.Default.NodeStatus)!;
        var document = NodeDocument.FromBytes("""{"node":"n"}"""u8);
        Assert.Multiple(() =>
        {
            Assert.That(status.Instances, Is.Empty);
            Assert.That(status.Conditions, Is.Empty);
            Assert.That(instance.Containers, Is.Empty);
            Assert.That(node.Addresses, Is.Empty);
            Assert.That(document.Workloads, Is.Empty);
            Assert.That(document.Secrets, Is.Empty);
            Assert.That(JsonSerializer.Deserialize("{}", ContractsJson.Default.VirtualMachineStatus)!.OnNodes, Is.Empty);
        });
    }
}
