using CsCheck;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Hub.Api;
using Google.Protobuf;

namespace EdgeVirt.Hub.Tests.Api;

internal sealed class LogLineReaderTests
{
    [Test]
    public void Reads_lines_wherever_frames_are_cut() =>
        Gen.Select(Gen.String.List[0, 20], Gen.Int[1, 40]).SampleAsync(async (texts, size) =>
        {
            using var bytes = new MemoryStream();
            foreach (var text in texts)
            {
                new LogLine { Text = ByteString.CopyFrom(System.Text.Encoding.Latin1.GetBytes(text)) }.WriteDelimitedTo(bytes);
            }

            var read = new List<LogLine>();
            await foreach (var line in LogLineReader.ReadAsync(Frames(bytes.ToArray(), size), CancellationToken.None))
            {
                read.Add(line);
            }

            return read.Select(line => line.Text).SequenceEqual(
                texts.Select(text => ByteString.CopyFrom(System.Text.Encoding.Latin1.GetBytes(text))));
        }).GetAwaiter().GetResult();

    [Test]
    public async Task Refuses_a_line_of_absurd_length() => await Assert.ThrowsAsync<InvalidDataException>(async () =>
    {
        await foreach (var _ in LogLineReader.ReadAsync(Frames([0xFF, 0xFF, 0xFF, 0xFF, 0x7F], 5), CancellationToken.None))
        {
        }
    });

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> Frames(byte[] bytes, int size)
    {
        foreach (var chunk in bytes.Chunk(size))
        {
            await Task.Yield();
            yield return chunk;
        }
    }
}
