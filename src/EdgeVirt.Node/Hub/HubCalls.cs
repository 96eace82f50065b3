using Grpc.Core;
using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;
using Polly.Timeout;

namespace EdgeVirt.Node.Hub;

/// <summary>
/// How the hub is called: a few attempts with jittered exponential backoff, and a circuit shared by all calls that opens
/// when the hub keeps failing, so that a hub in trouble is left in peace. Callers with a loop of their own back off on top.
/// </summary>
internal sealed class HubCalls
{
    private static readonly TimeSpan BreakFor = TimeSpan.FromSeconds(15);

    private readonly ResiliencePipeline pipeline;
    private readonly TimeProvider time;

    public HubCalls(TimeProvider time)
    {
        this.time = time;
        var transient = new PredicateBuilder().Handle<HubUnavailableException>().Handle<TimeoutRejectedException>();
        pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = transient,
                MaxRetryAttempts = 2,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = TimeSpan.FromSeconds(1),
                MaxDelay = TimeSpan.FromSeconds(10),
            })
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions
            {
                ShouldHandle = transient,
                FailureRatio = 0.9,
                MinimumThroughput = 6,
                SamplingDuration = TimeSpan.FromMinutes(1),
                BreakDuration = BreakFor,
            })
            .Build();
    }

    /// <summary>Makes a call; each attempt may take <paramref name="timeout"/>.</summary>
    /// <exception cref="HubUnavailableException">It failed, and trying again later is right.</exception>
    public async Task<T> CallAsync<T>(Func<CancellationToken, Task<T>> call, TimeSpan timeout, CancellationToken ct)
    {
        try
        {
            return await pipeline.ExecuteAsync(async token => await AttemptAsync(call, timeout, token), ct);
        }
        catch (BrokenCircuitException e)
        {
            throw new HubUnavailableException("The hub failed too often; it is left alone for a moment.", e);
        }
    }

    /// <summary>Whether a status says that the very same call may succeed later.</summary>
    public static bool IsTransient(StatusCode code) =>
        code is not (StatusCode.Unauthenticated or StatusCode.PermissionDenied or StatusCode.InvalidArgument or StatusCode.AlreadyExists or StatusCode.Unimplemented);

    private async Task<T> AttemptAsync<T>(Func<CancellationToken, Task<T>> call, TimeSpan timeout, CancellationToken ct)
    {
        using var timer = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, ct);
        try
        {
            return await call(either.Token);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new HubUnavailableException($"The hub did not answer within {timeout.TotalSeconds:F0} s.", e);
        }
    }
}
