using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Resources;

public sealed class QosClassTests
{
    [TestCase(null, null, null, null, QosClass.BestEffort)]
    [TestCase("1", "1Gi", "1", "1Gi", QosClass.Guaranteed)]
    [TestCase(null, null, "1", "1Gi", QosClass.Guaranteed, Description = "a request that is absent is the limit")]
    [TestCase("1000m", "1024Mi", "1", "1Gi", QosClass.Guaranteed, Description = "amounts count, not their notation")]
    [TestCase("500m", "1Gi", "1", "1Gi", QosClass.Burstable)]
    [TestCase(null, null, null, "1Gi", QosClass.Burstable)]
    [TestCase("1", null, null, null, QosClass.Burstable)]
    public void One_container(string? cpuRequest, string? memoryRequest, string? cpu, string? memory, QosClass expected) =>
        Assert.That(QosClasses.Of(Pod(Container(cpuRequest, memoryRequest, cpu, memory))), Is.EqualTo(expected));

    [Test]
    public void All_containers_count()
    {
        var (guaranteed, free) = (Container("1", "1Gi", "1", "1Gi"), Container(null, null, null, null));
        Assert.That(QosClasses.Of(Pod(guaranteed, guaranteed)), Is.EqualTo(QosClass.Guaranteed));
        Assert.That(QosClasses.Of(Pod(guaranteed, free)), Is.EqualTo(QosClass.Burstable));
        Assert.That(QosClasses.Of(Pod(free, free)), Is.EqualTo(QosClass.BestEffort));
    }

    private static PodSpec Pod(params ContainerSpec[] containers) => new() { Containers = containers };

    private static ContainerSpec Container(string? cpuRequest, string? memoryRequest, string? cpu, string? memory) => new()
    {
        Name = "main",
        Image = "r.local/a:1",
        Resources = new ResourceRequirements
        {
            Requests = new ResourceRequests { Cpu = Amount(cpuRequest), Memory = Amount(memoryRequest) },
            Limits = new ResourceLimits { Cpu = Amount(cpu), Memory = Amount(memory) },
        },
    };

    private static Quantity? Amount(string? text) => Quantity.TryParse(text, out var quantity) ? quantity : null;
}
