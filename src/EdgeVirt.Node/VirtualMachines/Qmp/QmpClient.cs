using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace EdgeVirt.Node.VirtualMachines.Qmp;

/// <summary>
/// A connection to a QEMU's monitor by the QEMU Machine Protocol (docs/interop/qmp-spec). Whatever QEMU does, no call waits
/// longer than its time, and no more is kept than <see cref="QmpLimits"/> allow: the connection ends instead, with a
/// <see cref="QmpException"/> that says why. Safe for use by several threads.
/// </summary>
internal sealed class QmpClient : IAsyncDisposable
{
    private readonly NetworkStream stream;
    private readonly QmpReader reader;
    private readonly QmpLimits limits;
    private readonly TimeProvider time;
    private readonly Channel<QmpEvent> events;
    private readonly ConcurrentDictionary<long, Pending> waiting = new();
    private readonly SemaphoreSlim writing = new(1, 1);
    private readonly CancellationTokenSource lifetime = new();
    private readonly TaskCompletionSource<QmpException?> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task receiving = Task.CompletedTask;
    private long lastId;

    private QmpClient(NetworkStream stream, QmpLimits limits, TimeProvider time)
    {
        (this.stream, this.limits, this.time) = (stream, limits, time);
        reader = new QmpReader(stream, limits.MessageBytes);
        events = Channel.CreateBounded<QmpEvent>(new BoundedChannelOptions(limits.Events) { SingleWriter = true });
    }

    /// <summary>What QEMU calls its version, e.g. <c>7.2.22</c>.</summary>
    public string Version { get; private set; } = "";

    /// <summary>What happens in QEMU. Completes when the connection ends, with its fault if it has one. Who does not read it loses the connection after <see cref="QmpLimits.Events"/>.</summary>
    public ChannelReader<QmpEvent> Events => events.Reader;

    /// <summary>Completes when the connection ended, with its fault; null: it was disposed of.</summary>
    public Task<QmpException?> Ended => ended.Task;

    /// <summary>Connects and makes it ready for commands.</summary>
    /// <param name="path">Of the Unix socket; shorter than 108 bytes.</param>
    /// <param name="limits">What QEMU may take.</param>
    /// <param name="time">Measures the waits.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="QmpException">Nobody listens, or whoever does is no QEMU that works.</exception>
    public static async Task<QmpClient> ConnectAsync(string path, QmpLimits limits, TimeProvider time, CancellationToken ct)
    {
        var client = new QmpClient(await OpenAsync(path, limits, time, ct), limits, time);
        try
        {
            await client.GreetAsync(ct);
            client.receiving = client.ReceiveAsync();
            await client.ExecuteAsync("qmp_capabilities", ct: ct);
            return client;
        }
        catch
        {
            await client.DisposeAsync();
            throw;
        }
    }

    /// <summary>Has a command carried out.</summary>
    /// <param name="command">Its name.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="timeout">Longest wait for the answer; absent: <see cref="QmpLimits.Answer"/>. After it the connection ends, because a QEMU that works answers at once.</param>
    /// <param name="ct">Stops waiting; QEMU may carry it out all the same.</param>
    /// <returns>What QEMU returned.</returns>
    /// <exception cref="QmpCommandException">QEMU refused it.</exception>
    /// <exception cref="QmpException">The connection ended before the answer came.</exception>
    public async Task<JsonElement> ExecuteAsync(string command, JsonObject? arguments = null, TimeSpan? timeout = null, CancellationToken ct = default)
    {
        var id = Interlocked.Increment(ref lastId);
        var pending = new Pending(command);
        if (waiting.Count >= limits.Commands)
        {
            throw Fail(new QmpException(QmpFault.Hung, $"{limits.Commands} commands wait for QEMU's answer already"));
        }

        waiting[id] = pending;
        using var limit = new CancellationTokenSource(timeout ?? limits.Answer, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, ct);
        try
        {
            await SendAsync(id, command, arguments, either.Token);
            // Those that came too late for the end of the connection are told of it here.
            if (ended.Task.IsCompleted)
            {
                pending.Answer.TrySetException(await EndAsync());
            }

            return await pending.Answer.Task.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            throw;
        }
        catch (OperationCanceledException e)
        {
            throw ended.Task.IsCompleted
                ? await EndAsync()
                : Fail(new QmpException(QmpFault.Hung, $"QEMU did not answer {command} within {(timeout ?? limits.Answer).TotalSeconds:0.#} s", e));
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        End(null);
        await receiving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await stream.DisposeAsync();
        writing.Dispose();
        lifetime.Dispose();
    }

    private static async Task<NetworkStream> OpenAsync(string path, QmpLimits limits, TimeProvider time, CancellationToken ct)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        using var limit = new CancellationTokenSource(limits.Answer, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, ct);
        try
        {
            // Its user owns the directory; what a QEMU that was taken over puts there in the socket's place is not followed.
            if (File.ResolveLinkTarget(path, returnFinalTarget: false) is not null)
            {
                throw new QmpException(QmpFault.Junk, $"{path} is a link; QEMU makes none");
            }

            // Where its queue is full, connecting waits for the other end to accept.
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), either.Token);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (Exception e)
        {
            socket.Dispose();
            throw e switch
            {
                SocketException or IOException => e as QmpException ?? new QmpException(QmpFault.Closed, $"no QEMU listens at {path}: {e.Message}", e),
                OperationCanceledException when !ct.IsCancellationRequested => new QmpException(QmpFault.Hung, $"QEMU did not take the connection within {limits.Answer.TotalSeconds:0.#} s", e),
                _ => e,
            };
        }
    }

    private async Task GreetAsync(CancellationToken ct)
    {
        using var limit = new CancellationTokenSource(limits.Answer, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, ct);
        try
        {
            var greeting = await reader.ReadAsync(either.Token);
            Version = VersionIn(greeting) ?? throw new QmpException(QmpFault.Junk, "what listens there does not greet as a QEMU does");
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            // QEMU serves one connection at a time: the next one waits until it goes.
            throw new QmpException(QmpFault.Hung, $"QEMU did not greet within {limits.Answer.TotalSeconds:0.#} s: it hangs, or somebody else is connected to its monitor", e);
        }
    }

    // {"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "…"}, "capabilities": ["oob"]}}
    private static string? VersionIn(JsonElement greeting)
    {
        if (Child(greeting, "QMP") is not { } monitor || Child(monitor, "version") is not { } version || Child(version, "qemu") is not { } numbers)
        {
            return null;
        }

        int? Number(string name) => numbers.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number : null;
        return Number("major") is { } major && Number("minor") is { } minor && Number("micro") is { } micro
            ? string.Create(CultureInfo.InvariantCulture, $"{major}.{minor}.{micro}")
            : null;
    }

    private static JsonElement? Child(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Object ? value : null;

    private async Task SendAsync(long id, string command, JsonObject? arguments, CancellationToken ct)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes))
        {
            writer.WriteStartObject();
            writer.WriteString("execute", command);
            if (arguments is not null)
            {
                writer.WritePropertyName("arguments");
                arguments.WriteTo(writer);
            }

            writer.WriteNumber("id", id);
            writer.WriteEndObject();
        }

        bytes.WriteByte((byte)'\n');
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, lifetime.Token);
        await writing.WaitAsync(either.Token);
        try
        {
            // Half a command cannot be taken back: only the end of the connection or of its time cuts it short.
            await stream.WriteAsync(bytes.GetBuffer().AsMemory(0, (int)bytes.Length), either.Token);
        }
        catch (OperationCanceledException e) when (!lifetime.IsCancellationRequested)
        {
            throw Fail(new QmpException(QmpFault.Hung, $"QEMU does not read: {command} could not be sent", e));
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            throw Fail(new QmpException(QmpFault.Closed, $"the connection to QEMU broke: {e.Message}", e));
        }
        finally
        {
            writing.Release();
        }
    }

    private async Task ReceiveAsync()
    {
        try
        {
            while (true)
            {
                Take(await reader.ReadAsync(lifetime.Token));
            }
        }
        catch (QmpException e)
        {
            End(e);
        }
        catch (OperationCanceledException)
        {
            // Whoever cancelled has said why.
        }
        catch (ObjectDisposedException)
        {
            End(null);
        }
    }

    private void Take(JsonElement message)
    {
        if (message.TryGetProperty("event", out _))
        {
            var happened = QmpEvent.From(message) ?? throw new QmpException(QmpFault.Junk, "QEMU sent an event whose name is no text");
            if (!events.Writer.TryWrite(happened))
            {
                throw new QmpException(QmpFault.Flooded, $"QEMU sent more than {limits.Events} events before they could be looked at");
            }

            return;
        }

        if (!message.TryGetProperty("id", out var idElement) || idElement.ValueKind != JsonValueKind.Number || !idElement.TryGetInt64(out var id) ||
            !waiting.TryRemove(id, out var pending))
        {
            throw new QmpException(QmpFault.Junk, "QEMU sent an answer that nobody asked for");
        }

        if (message.TryGetProperty("return", out var returned))
        {
            pending.Answer.TrySetResult(returned);
        }
        else if (Child(message, "error") is { } error)
        {
            pending.Answer.TrySetException(new QmpCommandException(pending.Command, TextOf(error, "class"), TextOf(error, "desc")));
        }
        else
        {
            throw new QmpException(QmpFault.Junk, $"QEMU's answer to {pending.Command} has neither a result nor an error");
        }
    }

    private static string TextOf(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "without a reason";

    private QmpException Fail(QmpException fault)
    {
        End(fault);
        return fault;
    }

    private async Task<QmpException> EndAsync() =>
        await ended.Task is { } fault ? new QmpException(fault.Fault, fault.Message, fault) : new QmpException(QmpFault.Closed, "the connection to QEMU was closed here");

    private void End(QmpException? fault)
    {
        if (!ended.TrySetResult(fault))
        {
            return;
        }

        lifetime.Cancel();
        events.Writer.TryComplete(fault);
        foreach (var id in waiting.Keys)
        {
            if (waiting.TryRemove(id, out var pending))
            {
                pending.Answer.TrySetException(fault ?? new QmpException(QmpFault.Closed, "the connection to QEMU was closed here"));
                _ = pending.Answer.Task.Exception;
            }
        }
    }

    private sealed record Pending(string Command)
    {
        public TaskCompletionSource<JsonElement> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
