using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Oci;

namespace EdgeVirt.Node.Tests.Containers;

public sealed class QualityOfServiceTests
{
    private const long NodeMemory = 4L << 30;

    [TestCase(QosClass.Guaranteed, "1Gi", -997)]
    [TestCase(QosClass.BestEffort, null, 1000)]
    [TestCase(QosClass.Burstable, "1Gi", 750)]
    [TestCase(QosClass.Burstable, "1Mi", 999)]
    [TestCase(QosClass.Burstable, null, 999)]
    [TestCase(QosClass.Burstable, "8Gi", 3)]
    public void Those_that_asked_for_less_go_first(QosClass qos, string? memory, int expected) =>
        Assert.That(QualityOfService.OomScoreAdjustmentOf(qos, Asking(null, memory), NodeMemory), Is.EqualTo(expected));

    [TestCase(null, 2)]
    [TestCase("1", 1024)]
    [TestCase("250m", 256)]
    [TestCase("1m", 2)]
    [TestCase("1000", 262_144)]
    public void Cpu_is_shared_by_what_was_asked_for(string? cpu, int shares) =>
        Assert.That(QualityOfService.CpuSharesOf(Asking(cpu, null)), Is.EqualTo((ulong)shares));

    private static ResourceRequirements Asking(string? cpu, string? memory) => new()
    {
        Requests = new ResourceRequests { Cpu = Amount(cpu), Memory = Amount(memory) },
    };

    private static Quantity? Amount(string? text) => Quantity.TryParse(text, out var quantity) ? quantity : null;
}
