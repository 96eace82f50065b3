using System.Security.Cryptography;

namespace EdgeVirt.Contracts.Tests;

public sealed class ClaimTokenTests
{
    private static readonly byte[] Authority = RandomNumberGenerator.GetBytes(300);

    [Test]
    public void Survives_being_pasted()
    {
        var token = ClaimToken.Create("oslo-batch", Authority);

        Assert.That(ClaimToken.TryParse($"  {token.Reveal()}\n", out var read), Is.True);
        Assert.Multiple(() =>
        {
            Assert.That(read!.Claim, Is.EqualTo("oslo-batch"));
            Assert.That(read.Secret.ToArray(), Is.EqualTo(token.Secret.ToArray()));
            Assert.That(read.Pins(Authority), Is.True);
            Assert.That(read.Pins(RandomNumberGenerator.GetBytes(300)), Is.False);
        });
    }

    [Test]
    public void Keeps_its_secret_out_of_its_text()
    {
        var token = ClaimToken.Create("c", Authority);
        Assert.That(token.ToString(), Is.EqualTo("evc1.c.***"));
    }

    [TestCase("")]
    [TestCase("evc1.c.short.short")]
    [TestCase("evc2.c.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [TestCase("evc1.C.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [TestCase("evc1.c.AAAA*AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [TestCase(null)]
    public void Refuses_what_is_no_token(string? text) => Assert.That(ClaimToken.TryParse(text, out _), Is.False);
}
