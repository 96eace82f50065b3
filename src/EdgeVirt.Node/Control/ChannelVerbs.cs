using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Node.Control;

/// <summary>A channel ends, and not as asked. The message says what to do next.</summary>
internal sealed class ChannelRefusedException(CloseReason reason, string message) : Exception(message)
{
    public CloseReason Reason { get; } = reason;
}

/// <summary>
/// Serves one verb on one channel: reads and sends data and returns when it is done, with words for a person or none.
/// </summary>
/// <exception cref="ChannelRefusedException">It could not be done.</exception>
internal delegate Task<string> ServeChannel(OpenChannel open, ServedChannel channel, CancellationToken ct);

/// <summary>One entry of the table of verbs.</summary>
/// <param name="Verb">Which verb.</param>
/// <param name="IsLocalOnly">Whether only someone on the board may ask for it.</param>
/// <param name="Serve">Does it.</param>
internal sealed record ChannelVerb(OpenChannel.VerbOneofCase Verb, bool IsLocalOnly, ServeChannel Serve);
