namespace EdgeVirt.Node.Tests.Fuzz;

/// <summary>A short run of each target, always the same inputs; <c>./dev fuzz</c> makes long ones.</summary>
[Category("root")]
internal sealed class FuzzTests
{
    [TestCase("layer", 600)]
    [TestCase("manifest", 12_000)]
    [TestCase("headers", 1_500)]
    [TestCase("toc", 12_000)]
    public void Damaged_input_is_read_or_refused_and_nothing_else_happens(string name, int count)
    {
        using var target = FuzzTarget.All[name]();
        var fault = new FuzzRun(target).Go(1, taken => taken < count);
        Assert.That(fault?.Problem, Is.Null, $"seed {fault?.Seed}, {fault?.Input.Length} bytes");
    }

    [Test]
    public void A_seed_makes_the_same_input_each_time()
    {
        using var target = new ManifestTarget();
        using var again = new ManifestTarget();
        for (var seed = 0; seed < 100; seed++)
        {
            Assert.That(Mutator.Make(seed, target.Corpus), Is.EqualTo(Mutator.Make(seed, again.Corpus)));
        }
    }

    [Test]
    public void What_a_target_does_wrong_is_a_fault_with_its_seed()
    {
        using var target = new BrokenTarget();
        var fault = new FuzzRun(target).Go(5, taken => taken < 1000);
        Assert.That(fault?.Problem, Is.InstanceOf<IndexOutOfRangeException>());
        Assert.That(fault?.Input, Is.EqualTo(Mutator.Make(fault!.Seed!.Value, target.Corpus)));
    }

    /// <summary>Reads a byte that is there in valid inputs only.</summary>
    private sealed class BrokenTarget : FuzzTarget
    {
        public override string Name => "broken";

        public override IReadOnlyList<byte[]> Corpus { get; } = [[1, 2, 3, 4]];

        public override void Take(byte[] input) => _ = input[3];
    }
}
