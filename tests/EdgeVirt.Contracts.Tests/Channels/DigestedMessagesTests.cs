using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Contracts.Tests.Channels;

public sealed class DigestedMessagesTests
{
    [Test]
    public async Task What_was_sent_arrives()
    {
        var sent = await SentAsync("one", "two");
        Assert.That(sent.Select(message => message.KindCase), Is.EqualTo([
            StreamMessage.KindOneofCase.Data, StreamMessage.KindOneofCase.Data, StreamMessage.KindOneofCase.Digest, StreamMessage.KindOneofCase.End]));
        Assert.That(await ReceivedAsync(sent), Is.EqualTo("onetwo"));
    }

    [Test]
    public async Task A_changed_byte_a_lost_piece_and_a_missing_digest_are_noticed()
    {
        var sent = await SentAsync("one", "two");
        Assert.That(() => ReceivedAsync([new StreamMessage { Data = ByteString.CopyFromUtf8("0ne") }, .. sent[1..]]), Throws.InstanceOf<InvalidDataException>());
        Assert.That(() => ReceivedAsync(sent[1..]), Throws.InstanceOf<InvalidDataException>());
        Assert.That(() => ReceivedAsync([.. sent[..2], sent[3]]), Throws.InstanceOf<InvalidDataException>());
        Assert.That(() => ReceivedAsync(sent[..2]), Throws.InstanceOf<IOException>(), "broken off");
    }

    private static async Task<List<StreamMessage>> SentAsync(params string[] pieces)
    {
        var sent = new List<StreamMessage>();
        var send = DigestedMessages.Sending((message, _) =>
        {
            sent.Add(message);
            return Task.CompletedTask;
        });
        foreach (var piece in pieces)
        {
            await send(new StreamMessage { Data = ByteString.CopyFromUtf8(piece) }, default);
        }

        await send(new StreamMessage { End = true }, default);
        return sent;
    }

    private static async Task<string> ReceivedAsync(List<StreamMessage> messages)
    {
        await using var stream = new MessageReadStream(DigestedMessages.CheckedAsync(messages.ToAsyncEnumerable(), default));
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync();
    }
}
