using CsCheck;
using EdgeVirt.Hub.Broker;

namespace EdgeVirt.Hub.Tests.Broker;

internal sealed class PacketSizeGuardTests
{
    private const int Limit = 20_000;

    [Test]
    public void Passes_packets_up_to_the_limit_however_they_are_cut_and_ends_at_the_first_beyond() =>
        Gen.Select(Gen.Int[0, Limit + 500].Array[1, 6], Gen.Int[1, 5000]).Sample((lengths, cut) =>
        {
            using var stream = new MemoryStream();
            foreach (var length in lengths)
            {
                WritePacket(stream, length);
            }

            var all = stream.ToArray();
            stream.Position = 0;
            using var guard = new PacketSizeGuard(stream, Limit);
            var read = new List<byte>();
            var buffer = new byte[cut];
            var ended = false;
            try
            {
                for (int n; (n = guard.Read(buffer, 0, cut)) > 0;)
                {
                    read.AddRange(buffer.AsSpan(0, n));
                }
            }
            catch (IOException)
            {
                ended = true;
            }

            Assert.That(ended, Is.EqualTo(lengths.Any(length => length > Limit)));
            Assert.That(ended || read.SequenceEqual(all));
        });

    private static void WritePacket(MemoryStream stream, int length)
    {
        stream.WriteByte(0x30);
        var rest = length;
        do
        {
            stream.WriteByte((byte)((rest & 0x7F) | (rest > 0x7F ? 0x80 : 0)));
            rest >>= 7;
        }
        while (rest > 0);
        stream.Write(new byte[length]);
    }
}
