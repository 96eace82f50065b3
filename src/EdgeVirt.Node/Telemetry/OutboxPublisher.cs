using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Hub;
using Google.Protobuf;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;

namespace EdgeVirt.Node.Telemetry;

/// <summary>
/// Drains the outbox to the hub in order: a few batches in flight, acknowledged in order, sent again from the first
/// that failed. The hub stores each (stream, sequence) once, so sending again does no harm. What the hub can never
/// take is counted as lost, so that it does not hold up all that follow.
/// </summary>
internal sealed partial class OutboxPublisher : BackgroundService
{
    private const int MaxRecords = 500;
    private const int MaxBytes = 128 * 1024;
    private const int InFlight = 4;
    private readonly Outbox outbox;
    private readonly IHubPublisher hub;
    private readonly NodeOptions options;
    private readonly TimeProvider time;
    private readonly ILogger<OutboxPublisher> logger;
    private readonly ResiliencePipeline backoff;

    public OutboxPublisher(Outbox outbox, IHubPublisher hub, NodeOptions options, TimeProvider time, ILogger<OutboxPublisher> logger)
    {
        this.outbox = outbox;
        this.hub = hub;
        this.options = options;
        this.time = time;
        this.logger = logger;
        backoff = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = new PredicateBuilder().Handle<HubUnavailableException>(),
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = TimeSpan.FromSeconds(1),
                MaxDelay = TimeSpan.FromMinutes(1),
                MaxRetryAttempts = int.MaxValue,
                OnRetry = args =>
                {
                    LogRetry(args.AttemptNumber, args.Outcome.Exception!.Message);
                    return default;
                },
            })
            .Build();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                // Each success begins the backoff anew.
                if (!await backoff.ExecuteAsync(async ct => await SendSomeAsync(ct), stoppingToken))
                {
                    await outbox.WaitForRecordsAsync(stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The agent stops; what was not acknowledged stays.
        }
    }

    /// <summary>Sends up to <see cref="InFlight"/> batches at once. False when there was nothing to send.</summary>
    internal async Task<bool> SendSomeAsync(CancellationToken ct)
    {
        await hub.WhenConnectedAsync(ct);
        List<(OutboxBatch Batch, Task Sent)> flights = [];
        var bytes = 0L;
        var started = time.GetTimestamp();
        try
        {
            OutboxPosition? after = null;
            while (flights.Count < InFlight && outbox.Peek(after, MaxRecords, MaxBytes) is { } batch)
            {
                var payload = Encode(batch);
                bytes += payload.Length;
                after = batch.End;
                flights.Add((batch, hub.PublishAsync(TopicChannel.Telemetry, payload, ct)));
            }

            foreach (var (batch, sent) in flights)
            {
                await SettleAsync(batch, sent);
            }
        }
        finally
        {
            // None is left unwatched, and no buffer goes back while it may still be read.
            foreach (var (batch, sent) in flights)
            {
                await sent.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                batch.Dispose();
            }
        }

        await KeepRateAsync(bytes, time.GetElapsedTime(started), ct);
        return flights.Count > 0;
    }

    private async Task SettleAsync(OutboxBatch batch, Task sent)
    {
        try
        {
            await sent;
            outbox.Acknowledge(batch);
        }
        catch (MessageRefusedException e)
        {
            // It would be refused for ever, and everything behind it would wait until the outbox is full.
            LogRefused(batch.Records.Count, e.Message);
            outbox.GiveUp(batch);
        }
    }

    private static byte[] Encode(OutboxBatch batch)
    {
        var message = new TelemetryBatch
        {
            Stream = batch.Stream.ToString("N"),
            FirstSequence = batch.FirstSequence,
            DroppedRecords = batch.Dropped,
            LostRecords = batch.Lost,
        };
        foreach (var record in batch.Records)
        {
            message.Records.Add(UnsafeByteOperations.UnsafeWrap(record));
        }

        return message.ToByteArray();
    }

    /// <summary>On a thin link telemetry takes no more than its share, also when a long absence has to be made up for.</summary>
    private async Task KeepRateAsync(long bytes, TimeSpan taken, CancellationToken ct)
    {
        if (options.TelemetryMaxBytesPerSecond > 0)
        {
            var pause = TimeSpan.FromSeconds((double)bytes / options.TelemetryMaxBytesPerSecond) - taken;
            if (pause > TimeSpan.Zero)
            {
                await Task.Delay(pause, time, ct);
            }
        }
    }

    [LoggerMessage(EventId = 20, Level = LogLevel.Information, Message = "Telemetry was not accepted (attempt {Attempt}): {Reason}")]
    private partial void LogRetry(int attempt, string reason);

    [LoggerMessage(EventId = 21, Level = LogLevel.Error, Message = "Gave up {Records} telemetry records: {Reason}")]
    private partial void LogRefused(int records, string reason);
}
