using System.Buffers;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EdgeVirt.Node.VirtualMachines.GuestAgents;

/// <summary>Nobody in the guest answers, or not as the QEMU guest agent does.</summary>
internal class GuestAgentException(string message, Exception? inner = null) : IOException(message, inner);

/// <summary>It answers that it does not do what it is asked; the conversation may go on.</summary>
internal sealed class GuestAgentRefusedException(string message) : GuestAgentException(message);

/// <summary>
/// One conversation with a guest's agent (qemu-ga), by the protocol of docs/interop/qemu-ga-ref. What answers is the guest, so it may say
/// anything: no more than so many bytes are taken, and no answer is waited for longer than its time.
/// </summary>
internal sealed class GuestAgentConnection : IAsyncDisposable
{
    /// <summary>Most bytes of an answer, and of what lies before it.</summary>
    public const int MostBytes = 256 << 10;

    // qemu-ga begins the answer to guest-sync-delimited with it, and drops by it what it has of half a command.
    private const byte Delimiter = 0xFF;
    private static readonly byte[] Beginning = [Delimiter];
    private static readonly TimeSpan SyncTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RefusalTimeout = TimeSpan.FromSeconds(1);

    private readonly NetworkStream stream;
    private readonly TimeProvider time;
    private readonly byte[] buffer = new byte[4096];
    private ReadOnlyMemory<byte> unread;

    private GuestAgentConnection(NetworkStream stream, TimeProvider time) => (this.stream, this.time) = (stream, time);

    /// <summary>Connects, and finds the beginning of the next answer.</summary>
    /// <exception cref="GuestAgentException">Nobody answers.</exception>
    public static async Task<GuestAgentConnection> OpenAsync(string path, TimeProvider time, CancellationToken ct)
    {
        // As with the monitor: what a QEMU that was taken over puts in the socket's place is not followed.
        if (new FileInfo(path).LinkTarget is not null)
        {
            throw new GuestAgentException($"{path} is a link; QEMU makes none");
        }

        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            using var limit = new CancellationTokenSource(SyncTimeout, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, ct);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), either.Token);
        }
        catch (Exception e) when (e is SocketException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            socket.Dispose();
            throw new GuestAgentException($"QEMU gives no channel to the guest's agent: {e.Message}", e);
        }

        var connection = new GuestAgentConnection(new NetworkStream(socket, ownsSocket: true), time);
        try
        {
            await connection.SyncAsync(ct);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Has a command carried out.</summary>
    /// <exception cref="GuestAgentException">It was refused, or no answer came; then the connection is of no more use.</exception>
    public async Task<JsonElement> ExecuteAsync(string command, TimeSpan timeout, CancellationToken ct, JsonObject? arguments = null)
    {
        var answer = await BoundedAsync(command, timeout, async stop =>
        {
            await SendAsync(command, arguments, stop);
            return await ReadAsync(stop);
        }, ct);
        return answer.TryGetProperty("return", out var returned) ? returned : throw new GuestAgentRefusedException($"the guest's agent refuses {command}: {ReasonIn(answer)}");
    }

    /// <summary>Sends a command that has no answer where it succeeds, and waits a moment for a refusal.</summary>
    /// <exception cref="GuestAgentException">It could not be sent, or was refused.</exception>
    public async Task TellAsync(string command, CancellationToken ct)
    {
        await BoundedAsync(command, SyncTimeout, async stop =>
        {
            await SendAsync(command, null, stop);
            return true;
        }, ct);
        JsonElement answer;
        try
        {
            answer = await BoundedAsync(command, RefusalTimeout, ReadAsync, ct);
        }
        catch (GuestAgentException)
        {
            // Silence, or a guest that is gone already.
            return;
        }

        if (answer.TryGetProperty("error", out _))
        {
            throw new GuestAgentException($"the guest's agent refuses {command}: {ReasonIn(answer)}");
        }
    }

    public ValueTask DisposeAsync() => stream.DisposeAsync();

    private Task<bool> SyncAsync(CancellationToken ct)
    {
        var id = RandomNumberGenerator.GetInt32(int.MaxValue);
        return BoundedAsync("guest-sync-delimited", SyncTimeout, async stop =>
        {
            await stream.WriteAsync(Beginning, stop);
            await SendAsync("guest-sync-delimited", new JsonObject { ["id"] = id }, stop);
            for (var skipped = 0; skipped < MostBytes;)
            {
                // Answers to whoever spoke before.
                for (; await NextAsync(stop) != Delimiter; skipped++)
                {
                    if (skipped >= MostBytes)
                    {
                        throw new GuestAgentException($"the guest's agent sent {MostBytes} bytes that nobody asked for");
                    }
                }

                if ((await ReadAsync(stop)).TryGetProperty("return", out var returned) && returned.ValueKind == JsonValueKind.Number && returned.TryGetInt64(out var answered) && answered == id)
                {
                    return true;
                }

                skipped++;
            }

            throw new GuestAgentException("the guest's agent does not answer to the question that it was asked");
        }, ct);
    }

    private async Task SendAsync(string command, JsonObject? arguments, CancellationToken ct)
    {
        var message = new JsonObject { ["execute"] = command };
        if (arguments is not null)
        {
            message["arguments"] = arguments;
        }

        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes))
        {
            message.WriteTo(writer);
        }

        bytes.WriteByte((byte)'\n');
        await stream.WriteAsync(bytes.GetBuffer().AsMemory(0, (int)bytes.Length), ct);
    }

    private async Task<JsonElement> ReadAsync(CancellationToken ct)
    {
        var line = new ArrayBufferWriter<byte>(256);
        for (byte next; (next = await NextAsync(ct)) != '\n';)
        {
            if (line.WrittenCount >= MostBytes)
            {
                throw new GuestAgentException($"the guest's agent sent an answer of more than {MostBytes} bytes");
            }

            line.Write([next]);
        }

        try
        {
            using var document = JsonDocument.Parse(line.WrittenMemory);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document.RootElement.Clone()
                : throw new GuestAgentException("the guest's agent sent something else than an object");
        }
        catch (JsonException e)
        {
            throw new GuestAgentException($"the guest's agent sent something that is not JSON: {e.Message}", e);
        }
    }

    private async ValueTask<byte> NextAsync(CancellationToken ct)
    {
        if (unread.IsEmpty)
        {
            var count = await stream.ReadAsync(buffer, ct);
            unread = count > 0 ? buffer.AsMemory(0, count) : throw new GuestAgentException("QEMU closed the channel to the guest's agent");
        }

        var next = unread.Span[0];
        unread = unread[1..];
        return next;
    }

    private async Task<T> BoundedAsync<T>(string command, TimeSpan timeout, Func<CancellationToken, Task<T>> act, CancellationToken ct)
    {
        using var limit = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, ct);
        try
        {
            return await act(either.Token);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new GuestAgentException($"the guest's agent did not answer {command} within {timeout.TotalSeconds:0.#} s", e);
        }
        catch (IOException e) when (e is not GuestAgentException)
        {
            throw new GuestAgentException($"the channel to the guest's agent broke: {e.Message}", e);
        }
    }

    private static string ReasonIn(JsonElement answer) =>
        answer.TryGetProperty("error", out var error) && error.ValueKind == JsonValueKind.Object && error.TryGetProperty("desc", out var desc) && desc.ValueKind == JsonValueKind.String
            ? desc.GetString() is { Length: > 300 } text ? text[..300] + "…" : desc.GetString()!
            : "without a reason";
}
