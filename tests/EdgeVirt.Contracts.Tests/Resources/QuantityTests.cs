using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Tests.Resources;

public sealed class QuantityTests
{
    [TestCase("1", 1)]
    [TestCase("500m", 0.5)]
    [TestCase("0.25", 0.25)]
    [TestCase("64Mi", 67_108_864)]
    [TestCase("1.5Gi", 1_610_612_736)]
    [TestCase("2k", 2000)]
    public void Reads(string text, double value)
    {
        Assert.That(Quantity.TryParse(text, out var quantity), Is.True);
        Assert.That((double)quantity.Value, Is.EqualTo(value));
        Assert.That(quantity.ToString(), Is.EqualTo(text));
    }

    [TestCase("")]
    [TestCase("-1")]
    [TestCase("1 Mi")]
    [TestCase("Mi")]
    [TestCase("1e3")]
    [TestCase("1mi")]
    [TestCase("99999999999999999999999999")]
    [TestCase("9999999999999Ti")]
    public void Refuses(string text) => Assert.That(Quantity.TryParse(text, out _), Is.False);
}
