using System.Threading.Channels;
using DuckDB.NET.Data;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Hub.Telemetry;

/// <summary>
/// The one writer of the telemetry database. Batches of all nodes that wait are committed together; what a commit did to the
/// streams is in the same transaction, so each record is stored once, however often it is sent. Other work that writes takes its
/// turn in the same queue.
/// </summary>
internal sealed partial class TelemetryStore : BackgroundService, IHostedLifecycleService
{
    private const int MostBatches = 256;
    private const int MostRecords = 20_000;
    private static readonly TimeSpan OpenRetry = TimeSpan.FromSeconds(5);

    private readonly TelemetryDatabase database;
    private readonly TimeProvider time;
    private readonly ILogger<TelemetryStore> logger;
    private readonly TaskCompletionSource hubStarted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource opened = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private readonly Channel<PendingWrite> queue =
        Channel.CreateBounded<PendingWrite>(new BoundedChannelOptions(1024) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });

    private readonly Func<string, CancellationToken, Task> reportDamage;
    private volatile bool damaged;
    private int readers;
    private int reported;

    /// <param name="reportDamage">Tells people which file was damaged.</param>
    public TelemetryStore(
        TelemetryDatabase database, Func<string, CancellationToken, Task> reportDamage, TimeProvider time, ILogger<TelemetryStore> logger)
    {
        this.database = database;
        this.reportDamage = reportDamage;
        this.time = time;
        this.logger = logger;
    }

    /// <summary>Completes when the batch is durable.</summary>
    /// <exception cref="TelemetryUnavailableException">It was not stored.</exception>
    public Task WriteAsync(string node, TelemetryBatch batch, CancellationToken ct) =>
        QueueAsync(new PendingBatch(node, batch, new(TaskCreationOptions.RunContinuationsAsynchronously)), ct);

    /// <summary>Runs <paramref name="work"/> between two groups of batches, which wait for it: it must be short.</summary>
    /// <exception cref="TelemetryUnavailableException">It was not done.</exception>
    public async Task<T> RunAsync<T>(Func<TelemetryWriter, T> work, CancellationToken ct)
    {
        T? result = default;
        await RunAsync(writer => { result = work(writer); }, ct);
        return result!;
    }

    /// <inheritdoc cref="RunAsync{T}"/>
    public Task RunAsync(Action<TelemetryWriter> work, CancellationToken ct) =>
        QueueAsync(new PendingWork(work, new(TaskCreationOptions.RunContinuationsAsynchronously)), ct);

    /// <summary>Runs a query on a connection of its own, interrupted by <paramref name="ct"/>.</summary>
    /// <exception cref="TelemetryUnavailableException">The database cannot be read.</exception>
    public async Task<T> ReadAsync<T>(Func<DuckDBConnection, T> read, CancellationToken ct)
    {
        await opened.Task.WaitAsync(ct);
        return await Task.Run(() => Read(read, ct), ct);
    }

    /// <inheritdoc/>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        hubStarted.TrySetResult();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        TelemetryWriter? writer = null;
        try
        {
            // Loading DuckDB and opening its file costs more than anything else at a start, and nobody asks for it before the API answers.
            await hubStarted.Task.WaitAsync(stoppingToken);
            writer = await OpenAsync(stoppingToken);
            while (await queue.Reader.WaitToReadAsync(stoppingToken))
            {
                writer = await ReplaceIfDamagedAsync(writer, stoppingToken) ?? await OpenAsync(stoppingToken);
                var (group, work) = TakeNext();
                try
                {
                    if (work is not null)
                    {
                        work.Work(writer);
                        work.Done.TrySetResult();
                        continue;
                    }

                    writer.Commit(group, time.GetUtcNow());
                    group.ForEach(pending => pending.Done.TrySetResult());
                }
                catch (DuckDBException e)
                {
                    // A failed commit may have closed the database for good, or shown that it is damaged: open it anew.
                    if (work is null)
                    {
                        LogCommitFailed(group.Count, e);
                    }

                    damaged |= TelemetryDatabase.SaysDamaged(e);
                    writer.Dispose();
                    writer = null;
                    work?.Done.TrySetException(new TelemetryUnavailableException("The telemetry database could not be written.", e));
                    group.ForEach(pending => pending.Done.TrySetException(new TelemetryUnavailableException("Telemetry could not be stored.", e)));
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The hub stops. What nobody was told is stored will be sent again.
        }
        finally
        {
            queue.Writer.TryComplete();
            while (queue.Reader.TryRead(out var left))
            {
                left.Done.TrySetException(new TelemetryUnavailableException("The hub is stopping."));
            }

            writer?.Dispose();
        }
    }

    private async Task QueueAsync(PendingWrite pending, CancellationToken ct)
    {
        try
        {
            await queue.Writer.WriteAsync(pending, ct);
        }
        catch (ChannelClosedException e)
        {
            throw new TelemetryUnavailableException("The hub is stopping.", e);
        }

        await pending.Done.Task.WaitAsync(ct);
    }

    private T Read<T>(Func<DuckDBConnection, T> read, CancellationToken ct)
    {
        Interlocked.Increment(ref readers);
        try
        {
            if (damaged)
            {
                throw new TelemetryUnavailableException("The telemetry database is damaged and is being replaced; try again in a minute.");
            }

            using var connection = database.Connect();
            return read(connection);
        }
        catch (DuckDBException e)
        {
            ct.ThrowIfCancellationRequested();
            damaged |= TelemetryDatabase.SaysDamaged(e);
            throw new TelemetryUnavailableException($"Telemetry cannot be read: {e.Message}", e);
        }
        finally
        {
            Interlocked.Decrement(ref readers);
        }
    }

    /// <summary>Begins a new file once a query or a commit has met damage, as soon as nobody reads the old one.</summary>
    private async Task<TelemetryWriter?> ReplaceIfDamagedAsync(TelemetryWriter? writer, CancellationToken ct)
    {
        if (!damaged || Volatile.Read(ref readers) > 0)
        {
            return writer;
        }

        writer?.Dispose();
        LogReplaced();
        database.SetAside();
        damaged = false;
        return await OpenAsync(ct);
    }

    private async Task<TelemetryWriter> OpenAsync(CancellationToken ct)
    {
        while (true)
        {
            try
            {
                var writer = new TelemetryWriter(database.Open());
                opened.TrySetResult();
                for (; reported < database.Quarantined.Count; reported++)
                {
                    await reportDamage(database.Quarantined[reported], ct);
                }

                return writer;
            }
            catch (Exception e) when (e is TelemetryUnavailableException or IOException or UnauthorizedAccessException)
            {
                LogOpenFailed(OpenRetry, e);
                while (queue.Reader.TryRead(out var waiting))
                {
                    waiting.Done.TrySetException(new TelemetryUnavailableException("The telemetry database cannot be opened.", e));
                }

                await Task.Delay(OpenRetry, time, ct);
            }
        }
    }

    /// <summary>One piece of work, or the batches that come before the next.</summary>
    private (List<PendingBatch> Group, PendingWork? Work) TakeNext()
    {
        List<PendingBatch> group = [];
        var records = 0;
        while (group.Count < MostBatches && records < MostRecords && queue.Reader.TryPeek(out var next) && (next is PendingBatch || group.Count == 0))
        {
            queue.Reader.TryRead(out _);
            if (next is PendingWork work)
            {
                return ([], work);
            }

            var batch = (PendingBatch)next;
            group.Add(batch);
            records += batch.Batch.Records.Count;
        }

        return (group, null);
    }

    [LoggerMessage(EventId = 20, Level = LogLevel.Error, Message = "Could not commit {Batches} telemetry batches; the nodes send them again")]
    private partial void LogCommitFailed(int batches, Exception exception);

    [LoggerMessage(EventId = 22, Level = LogLevel.Error, Message = "The telemetry database turned out to be damaged; beginning a new one")]
    private partial void LogReplaced();

    [LoggerMessage(EventId = 21, Level = LogLevel.Error, Message = "Cannot open the telemetry database; trying again in {Delay}")]
    private partial void LogOpenFailed(TimeSpan delay, Exception exception);
}

/// <summary>Something that waits for the writer.</summary>
internal abstract record PendingWrite(TaskCompletionSource Done);

/// <summary>A batch on its way into the database.</summary>
internal sealed record PendingBatch(string Node, TelemetryBatch Batch, TaskCompletionSource Done) : PendingWrite(Done);

/// <summary>Other work that writes.</summary>
internal sealed record PendingWork(Action<TelemetryWriter> Work, TaskCompletionSource Done) : PendingWrite(Done);
