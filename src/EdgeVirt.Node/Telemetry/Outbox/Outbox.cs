namespace EdgeVirt.Node.Telemetry;

/// <summary>
/// The outbox as the rest of the agent sees it: <see cref="AppendAsync(ReadOnlyMemory{byte}, CancellationToken)"/> completes
/// when the record is durable, <see cref="Peek"/> and <see cref="Acknowledge"/> serve the publisher. All callers that
/// wait while a group is being written share the next write and fdatasync. Two buffers are used in turn; a record costs no memory of its own.
/// </summary>
internal sealed class Outbox : IAsyncDisposable
{
    private const int GroupBytes = 256 * 1024;
    private const int GroupRecords = 4096;

    /// <summary>Longest wait for callers that are about to append, as long as more of them keep coming.</summary>
    private static readonly TimeSpan GatherWindow = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan CursorInterval = TimeSpan.FromMinutes(1);

    private readonly Lock gate = new();
    private readonly OutboxLog log;
    private readonly TimeProvider time;
    private readonly SemaphoreSlim work = new(0);
    private readonly SemaphoreSlim durable = new(0);
    private readonly Task writer;
    private Group gathering = new();
    private Group spare = new();
    private long cursorWritten;
    private int lastCount;
    private bool closing;

    public Outbox(OutboxLog log, TimeProvider time)
    {
        this.log = log;
        this.time = time;
        cursorWritten = time.GetTimestamp();
        writer = Task.Factory.StartNew(WriteAsync, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap();
    }

    /// <summary>Records that wait for the hub.</summary>
    public ulong Pending => log.Pending;

    /// <summary>Records dropped for want of room and lost by damage, of all streams still at hand.</summary>
    public (ulong Dropped, ulong Lost) Missing => log.Missing;

    /// <summary>
    /// Appends one record of at most <see cref="OutboxFormat.MaxPayloadBytes"/>. True once it is durable; false when it
    /// was dropped and counted, because there is no room or the disk failed.
    /// </summary>
    public Task<bool> AppendAsync(ReadOnlyMemory<byte> record, CancellationToken ct) => AppendAsync(record, null, ct);

    /// <summary>Appends records that become durable together, as far as they fit into one group.</summary>
    public Task<bool> AppendAsync(IReadOnlyList<ReadOnlyMemory<byte>> records, CancellationToken ct) => AppendAsync(default, records, ct);

    /// <summary>See <see cref="OutboxLog.Peek"/>.</summary>
    public OutboxBatch? Peek(OutboxPosition? after, int maxRecords, int maxBytes) => log.Peek(after, maxRecords, maxBytes);

    /// <summary>Lets go of a batch that the hub has acknowledged. Batches are acknowledged in order.</summary>
    public void Acknowledge(OutboxBatch batch) => LetGo(log.Acknowledge(batch));

    /// <summary>Lets go of a batch that the hub will never take; its records count as lost from here on.</summary>
    public void GiveUp(OutboxBatch batch) => LetGo(log.GiveUp(batch));
    /// <summary>Completes when something became durable since the last time this completed. For one waiter, the publisher.</summary>
    public async Task WaitForRecordsAsync(CancellationToken ct)
    {
        await durable.WaitAsync(ct);
        while (durable.Wait(0, CancellationToken.None))
        {
            // One look serves all that came meanwhile.
        }
    }

    public async ValueTask DisposeAsync()
    {
        lock (gate)
        {
            if (closing)
            {
                return;
            }

            closing = true;
        }

        work.Release();
        await writer;
        log.Dispose();
        work.Dispose();
        durable.Dispose();
    }

    private async Task<bool> AppendAsync(ReadOnlyMemory<byte> record, IReadOnlyList<ReadOnlyMemory<byte>>? records, CancellationToken ct)
    {
        var count = records?.Count ?? 1;
        var kept = true;
        Task<bool>? last = null;
        for (var i = 0; i < count;)
        {
            Task<bool> group;
            var from = i;
            lock (gate)
            {
                ObjectDisposedException.ThrowIf(closing, this);
                group = gathering.Done.Task;
                var wasEmpty = gathering.Count == 0;
                while (i < count && gathering.TryAdd(records is null ? record.Span : records[i].Span))
                {
                    i++;
                }

                if (wasEmpty && gathering.Count > 0)
                {
                    work.Release();
                }
            }

            if (from == i || i < count)
            {
                // Full: it is being written next. Wait for room rather than gather without bound.
                kept &= await group.WaitAsync(ct) || from == i;
            }

            last = from == i ? last : group;
        }

        return (last is null || await last.WaitAsync(ct)) && kept;
    }

    private void LetGo(bool cursorWaits)
    {
        if (cursorWaits && time.GetElapsedTime(cursorWritten) > CursorInterval)
        {
            log.FlushCursor();
            cursorWritten = time.GetTimestamp();
        }
    }

    private async Task WriteAsync()
    {
        while (true)
        {
            await work.WaitAsync();
            await GatherAsync();
            Group group;
            lock (gate)
            {
                group = gathering;
                if (group.Count == 0)
                {
                    if (closing)
                    {
                        return;
                    }

                    continue;
                }

                gathering = spare;
                spare = group;
            }

            var done = group.Done;
            bool kept;
            try
            {
                kept = log.Commit(group.Records, group.Lengths);
            }
            catch (Exception e)
            {
                // A defect, not a fault of the disk: nobody may wait for ever for a writer that is gone.
                Fail(done, e);
                throw;
            }

            lastCount = group.Count;
            group.Clear();
            done.SetResult(kept);
            if (kept && durable.CurrentCount == 0)
            {
                durable.Release();
            }
        }
    }

    private void Fail(TaskCompletionSource<bool> done, Exception e)
    {
        done.SetException(e);
        lock (gate)
        {
            closing = true;
            gathering.Done.TrySetException(e);
        }
    }

    /// <summary>Lets callers who are ready to append join in, for as long as each look finds more of them.</summary>
    private async Task GatherAsync()
    {
        var since = time.GetTimestamp();
        var seen = 0;
        while (true)
        {
            lock (gate)
            {
                if (closing || gathering.Count == seen || gathering.Bytes > GroupBytes / 2)
                {
                    return;
                }

                seen = gathering.Count;
            }

            if ((seen == 1 && lastCount <= 1) || time.GetElapsedTime(since) > GatherWindow)
            {
                return;
            }

            await Task.Yield();
        }
    }

    /// <summary>Records of one write. Touched under the gate while it gathers, by the writer alone after that.</summary>
    private sealed class Group
    {
        private readonly int[] lengths = new int[GroupRecords];
        private byte[] bytes = new byte[4096];

        public int Count { get; private set; }

        public int Bytes { get; private set; }

        public TaskCompletionSource<bool> Done { get; private set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Span<byte> Records => bytes.AsSpan(0, Bytes);

        public ReadOnlySpan<int> Lengths => lengths.AsSpan(0, Count);

        public bool TryAdd(ReadOnlySpan<byte> record)
        {
            if (record.IsEmpty || record.Length > OutboxFormat.MaxPayloadBytes)
            {
                throw new ArgumentException(
                    $"A record has 1 to {OutboxFormat.MaxPayloadBytes} bytes, not {record.Length}: split it.", nameof(record));
            }

            var length = record.Length + OutboxFormat.RecordOverhead;
            if (Count == GroupRecords || Bytes + length > GroupBytes)
            {
                return false;
            }

            if (Bytes + length > bytes.Length)
            {
                Array.Resize(ref bytes, Math.Min(GroupBytes, Math.Max(bytes.Length * 2, Bytes + length)));
            }

            record.CopyTo(bytes.AsSpan(Bytes + OutboxFormat.RecordOverhead));
            lengths[Count++] = length;
            Bytes += length;
            return true;
        }

        public void Clear()
        {
            Count = 0;
            Bytes = 0;
            Done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}
