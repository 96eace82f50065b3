using System.Text;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Resources;

/// <summary>What a node is sent, and what it checks of that.</summary>
internal sealed class NodeDocumentTests
{
    [Test]
    public void Virtual_machines_travel_and_a_document_without_any_does_not_mention_them()
    {
        var document = new NodeDocument { Node = "n", VirtualMachines = [Machine("guest")] };
        var read = NodeDocument.FromBytes(document.ToBytes());
        Assert.That(read.VirtualMachines!.Single(), Is.EqualTo(document.VirtualMachines[0]));
        Assert.That(Encoding.UTF8.GetString(new NodeDocument { Node = "n" }.ToBytes()), Is.EqualTo("""{"node":"n","workloads":[],"configs":[],"secrets":[]}"""));
    }

    [Test]
    public void A_node_takes_machines_that_are_sound() =>
        Assert.That(NodeDocumentValidation.ProblemOf(new NodeDocument { Node = "n", VirtualMachines = [Machine("guest"), Machine("other")] }, "n"), Is.Null);

    [Test]
    public void A_node_refuses_what_a_manifest_could_not_be()
    {
        var broken = Machine("guest") with { Spec = new VirtualMachineSpec { Memory = new VirtualMemorySpec { Size = Size("1Gi") }, Cpu = new VirtualCpuSpec { Cores = 999 } } };
        Assert.That(Problem(broken), Is.EqualTo("virtual machine 'guest': spec.cpu.cores must be between 1 and 255"));
        Assert.That(Problem(Machine("Guest")), Does.Contain("virtual machine 'Guest' must be lower-case"));
        Assert.That(Problem(Machine("guest"), Machine("guest")), Does.Contain("virtual machine 'guest' is there twice"));
    }

    [Test]
    public void A_node_refuses_a_machine_with_the_name_of_a_workload()
    {
        var template = new PodSpec { Containers = [new ContainerSpec { Name = "main", Image = "r.local/web:1" }] };
        var document = new NodeDocument { Node = "n", Workloads = [new DesiredWorkload { Name = "web", Uid = "u", Generation = 1, Template = template }], VirtualMachines = [Machine("web")] };
        Assert.That(NodeDocumentValidation.ProblemOf(document, "n"), Does.Contain("virtual machine 'web' has the name of a workload"));
    }

    private static string? Problem(params DesiredVirtualMachine[] machines) => NodeDocumentValidation.ProblemOf(new NodeDocument { Node = "n", VirtualMachines = machines }, "n");

    private static DesiredVirtualMachine Machine(string name) => new()
    {
        Name = name, Uid = $"uid-{name}", Generation = 1, Spec = new VirtualMachineSpec { Memory = new VirtualMemorySpec { Size = Size("512Mi") } },
    };

    private static Quantity Size(string text)
    {
        Assert.That(Quantity.TryParse(text, out var quantity));
        return quantity;
    }
}
