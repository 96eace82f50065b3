using System.Threading.Channels;
using EdgeVirt.Contracts.Protos;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Control;

/// <summary>Serves channels on a stream of frames, whether the hub or someone on the board opened it.</summary>
internal sealed partial class ChannelServer(IEnumerable<ChannelVerb> verbs, TimeProvider time, ILogger<ChannelServer> log)
{
    private const int MostChannels = 128;
    private const int QueuedFrames = 16;

    private readonly Dictionary<OpenChannel.VerbOneofCase, ChannelVerb> verbs = verbs.ToDictionary(verb => verb.Verb);

    /// <summary>Serves until the other side ends, or no channel was open for <paramref name="idle"/>.</summary>
    /// <param name="stream">The frames.</param>
    /// <param name="isLocal">Whether the other side is on this board.</param>
    /// <param name="idle">Null: for as long as it takes.</param>
    /// <param name="ct">Ends it.</param>
    /// <exception cref="InvalidDataException">What came were no frames.</exception>
    public async Task ServeAsync(IFrameStream stream, bool isLocal, TimeSpan? idle, CancellationToken ct)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var frames = Channel.CreateBounded<TunnelFrame>(QueuedFrames);
        var session = new Session(stream, frames, isLocal, idle, ended.Token);
        var writing = WriteAsync(session, ended);
        try
        {
            await ReadAsync(session);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            // The other side can no longer be written to.
        }
        finally
        {
            await ended.CancelAsync();
            await Task.WhenAll(session.Running.Values.Select(open => open.Task));
            frames.Writer.Complete();
            await writing;
        }
    }

    private async Task ReadAsync(Session session)
    {
        Task<TunnelFrame?>? reading = null;
        while (!session.Ended.IsCancellationRequested)
        {
            reading ??= session.Stream.ReadAsync(session.Ended);
            session.Reap();
            if (session.Idle is { } idle && session.Running.Count == 0)
            {
                using var timer = CancellationTokenSource.CreateLinkedTokenSource(session.Ended);
                if (await Task.WhenAny(reading, Task.Delay(idle, time, timer.Token)) != reading)
                {
                    Observe(reading);
                    return;
                }

                await timer.CancelAsync();
            }
            else if (session.Idle is not null)
            {
                await Task.WhenAny([reading, .. session.Running.Values.Select(open => open.Task)]);
                if (!reading.IsCompleted)
                {
                    continue;
                }
            }

            if (await reading is not { } frame)
            {
                return;
            }

            reading = null;
            await TakeAsync(session, frame);
        }
    }

    private async Task TakeAsync(Session session, TunnelFrame frame)
    {
        session.Running.TryGetValue(frame.Channel, out var open);
        switch (frame.KindCase)
        {
            case TunnelFrame.KindOneofCase.Open when open is null && session.Running.Count < MostChannels:
                session.Begin(frame.Channel, frame.Open, (channel, ct) => ServeChannelAsync(session, frame, channel, ct));
                break;
            case TunnelFrame.KindOneofCase.Open when open is null:
                await session.Frames.Writer.WriteAsync(
                    CloseOf(frame.Channel, CloseReason.Failed, $"At most {MostChannels} channels may be open at a time. Close one first."), session.Ended);
                break;
            case TunnelFrame.KindOneofCase.Window:
                open?.Channel.Allow(frame.Window);
                break;
            case TunnelFrame.KindOneofCase.Data when open?.Channel.TryTake(frame.Data.Memory) == false:
            case TunnelFrame.KindOneofCase.Close when open is not null:
                await open.Cancel.CancelAsync();
                break;
        }
    }

    private async Task ServeChannelAsync(Session session, TunnelFrame frame, ServedChannel channel, CancellationToken ct)
    {
        TunnelFrame close;
        try
        {
            var words = verbs.TryGetValue(frame.Open.VerbCase, out var verb)
                ? verb.IsLocalOnly && !session.IsLocal
                    ? throw new ChannelRefusedException(CloseReason.Unsupported, $"{verb.Verb} can be asked for only on the board itself.")
                    : await verb.Serve(frame.Open, channel, ct)
                : throw new ChannelRefusedException(CloseReason.Unsupported, "This agent does not know that verb; update it.");
            close = CloseOf(frame.Channel, CloseReason.Done, words);
        }
        catch (ChannelRefusedException e)
        {
            close = CloseOf(frame.Channel, e.Reason, e.Message);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            close = channel.IsOverrun
                ? CloseOf(frame.Channel, CloseReason.Invalid, "More was sent than the window allows.")
                : CloseOf(frame.Channel, CloseReason.Done, "");
        }
#pragma warning disable CA1031 // The edge of a conversation: the other side gets to know, and the log.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogFailed(frame.Open.VerbCase, e);
            close = CloseOf(frame.Channel, CloseReason.Failed, $"The agent failed: {e.Message}");
        }

        // Refused by the queue only when the whole stream is at its end.
        try
        {
            await session.Frames.Writer.WriteAsync(close, session.Ended);
        }
        catch (OperationCanceledException)
        {
        }
    }

    private static async Task WriteAsync(Session session, CancellationTokenSource ended)
    {
        try
        {
            await foreach (var frame in session.Frames.Reader.ReadAllAsync(session.Ended))
            {
                await session.Stream.WriteAsync(frame, session.Ended);
            }
        }
#pragma warning disable CA1031 // A stream that cannot be written is at its end.
        catch (Exception)
#pragma warning restore CA1031
        {
            await ended.CancelAsync();
        }
    }

    private static TunnelFrame CloseOf(uint channel, CloseReason reason, string message) =>
        new() { Channel = channel, Close = new CloseChannel { Reason = reason, Message = message } };

    private static void Observe(Task task) => _ = task.ContinueWith(done => done.Exception, TaskContinuationOptions.OnlyOnFaulted);

    [LoggerMessage(Level = LogLevel.Error, Message = "A channel for {Verb} failed")]
    private partial void LogFailed(OpenChannel.VerbOneofCase verb, Exception e);

    private sealed record Open(ServedChannel Channel, CancellationTokenSource Cancel, Task Task);

    private sealed class Session(IFrameStream stream, Channel<TunnelFrame> frames, bool isLocal, TimeSpan? idle, CancellationToken ended)
    {
        public IFrameStream Stream => stream;

        public Channel<TunnelFrame> Frames => frames;

        public bool IsLocal => isLocal;

        public TimeSpan? Idle => idle;

        public CancellationToken Ended => ended;

        public Dictionary<uint, Open> Running { get; } = [];

        public void Begin(uint channel, OpenChannel open, Func<ServedChannel, CancellationToken, Task> serve)
        {
            var cancel = CancellationTokenSource.CreateLinkedTokenSource(ended);
            var served = new ServedChannel(channel, frames.Writer, open.Window);
            Running[channel] = new Open(served, cancel, Task.Run(() => serve(served, cancel.Token), CancellationToken.None));
        }

        public void Reap()
        {
            foreach (var (channel, open) in Running.Where(pair => pair.Value.Task.IsCompleted).ToList())
            {
                Running.Remove(channel);
                open.Cancel.Dispose();
            }
        }
    }
}
