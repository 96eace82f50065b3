using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Contracts.Channels;

/// <summary>Streams whose bytes have to arrive whole and unchanged: a SHA-256 of them goes before their end.</summary>
public static class DigestedMessages
{
    /// <summary>Sends messages, and before the one that ends them the digest of their data. For one stream.</summary>
    /// <param name="send">Sends a message.</param>
    public static Func<StreamMessage, CancellationToken, Task> Sending(Func<StreamMessage, CancellationToken, Task> send)
    {
        var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        return async (message, ct) =>
        {
            if (message.KindCase == StreamMessage.KindOneofCase.End)
            {
                await send(new StreamMessage { Digest = ByteString.CopyFrom(hash.GetHashAndReset()) }, ct).ConfigureAwait(false);
                hash.Dispose();
            }
            else
            {
                hash.AppendData(message.Data.Span);
            }

            await send(message, ct).ConfigureAwait(false);
        };
    }

    /// <summary>Passes messages on, the end only if the digest before it is that of the data.</summary>
    /// <param name="messages">What comes.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="InvalidDataException">The digest is missing, or another one.</exception>
    public static async IAsyncEnumerable<StreamMessage> CheckedAsync(IAsyncEnumerable<StreamMessage> messages, [EnumeratorCancellation] CancellationToken ct)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var isSound = false;
        await foreach (var message in messages.WithCancellation(ct).ConfigureAwait(false))
        {
            switch (message.KindCase)
            {
                case StreamMessage.KindOneofCase.Data:
                    hash.AppendData(message.Data.Span);
                    break;
                case StreamMessage.KindOneofCase.Digest:
                    isSound = message.Digest.Span.SequenceEqual(hash.GetHashAndReset())
                        ? true
                        : throw new InvalidDataException("what came is not what was sent: its digest differs");
                    continue;
                case StreamMessage.KindOneofCase.End when !isSound:
                    throw new InvalidDataException("what came cannot be checked: it ended without a digest");
            }

            yield return message;
        }
    }
}
