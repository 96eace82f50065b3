using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Contracts.Tests.Channels;

public sealed class ChannelWindowTests
{
    [Test]
    public async Task A_sender_gets_what_is_allowed_and_waits_for_the_rest()
    {
        var window = new SendWindow(10);
        Assert.That(await window.TakeAsync(7, default), Is.EqualTo(7));
        Assert.That(await window.TakeAsync(7, default), Is.EqualTo(3));
        var waiting = window.TakeAsync(5, default);
        Assert.That(waiting.IsCompleted, Is.False);
        window.Allow(4);
        Assert.That(await waiting, Is.EqualTo(4));
    }

    [Test]
    public async Task Several_who_wait_share_what_is_allowed()
    {
        var window = new SendWindow();
        var waiting = Enumerable.Range(0, 8).Select(_ => window.TakeAsync(3, default)).ToList();
        for (var i = 0; i < 8; i++)
        {
            window.Allow(3);
            await Task.Yield();
        }

        Assert.That((await Task.WhenAll(waiting)).Sum(), Is.LessThanOrEqualTo(24).And.GreaterThanOrEqualTo(8));
    }

    [Test]
    public async Task A_receiver_holds_no_more_than_its_window_and_moves_it_on_as_it_reads()
    {
        List<uint> grants = [];
        var window = new ReceiveWindow(8, isGranted: false, (bytes, _) =>
        {
            grants.Add(bytes);
            return Task.CompletedTask;
        });
        Assert.That(window.TryTake(new byte[1]), Is.False, "nothing was granted yet");

        window = new ReceiveWindow(8, isGranted: true, (bytes, _) =>
        {
            grants.Add(bytes);
            return Task.CompletedTask;
        });
        Assert.That(window.TryTake(new byte[5]), Is.True);
        Assert.That(window.TryTake(new byte[3]), Is.True);
        await using var reader = window.ReadAllAsync(default).GetAsyncEnumerator();
        await reader.MoveNextAsync();
        Assert.That(grants, Is.Empty, "what is being looked at still counts");
        await reader.MoveNextAsync();
        Assert.That(grants, Is.EqualTo((uint[])[5]));
        Assert.That(window.TryTake(new byte[5]), Is.True);
        Assert.That(window.TryTake(new byte[1]), Is.False);
    }

    [Test]
    public async Task A_verb_that_begins_to_read_grants_its_window_first()
    {
        var granted = 0u;
        var window = new ReceiveWindow(8, isGranted: false, (bytes, _) =>
        {
            granted += bytes;
            return Task.CompletedTask;
        });
        await using var reader = window.ReadAllAsync(default).GetAsyncEnumerator();
        var next = reader.MoveNextAsync();
        Assert.That(granted, Is.EqualTo(8));
        Assert.That(window.TryTake(new byte[8]), Is.True);
        Assert.That(await next, Is.True);
        window.Complete();
        Assert.That(await reader.MoveNextAsync(), Is.False);
    }

    [TestCase(1)]
    [TestCase(3)]
    [TestCase(1000)]
    public async Task Messages_come_whole_out_of_pieces_of_any_size(int size)
    {
        StreamMessage[] sent =
        [
            new() { Data = ByteString.CopyFromUtf8("hello") },
            new() { Resize = new WindowSize { Columns = 100, Rows = 30 } },
            new() { Error = ByteString.CopyFrom(new byte[300]) },
            new() { End = true },
            new() { ExitCode = 137 },
        ];
        var bytes = sent.SelectMany(message => StreamMessages.ToBytes(message).ToArray()).ToArray();
        Assert.That(await ReadAsync(bytes.Chunk(size)), Is.EqualTo(sent));
    }

    [TestCase(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF })]
    [TestCase(new byte[] { 0x81, 0x80, 0x04 })]
    [TestCase(new byte[] { 2, 0xFF, 0xFF })]
    [TestCase(new byte[] { 5, 1 })]
    public void Noise_is_no_message(byte[] noise) =>
        Assert.That(async () => await ReadAsync([noise]), Throws.TypeOf<InvalidDataException>());

    private static async Task<List<StreamMessage>> ReadAsync(IEnumerable<byte[]> pieces)
    {
        List<StreamMessage> read = [];
        await foreach (var message in StreamMessages.ReadAsync(Pieces(pieces), default))
        {
            read.Add(message);
        }

        return read;
    }

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> Pieces(IEnumerable<byte[]> pieces)
    {
        foreach (var piece in pieces)
        {
            await Task.Yield();
            yield return piece;
        }
    }
}
