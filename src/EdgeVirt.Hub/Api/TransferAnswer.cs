using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Hub.Backups;
using EdgeVirt.Hub.Resources;
using EdgeVirt.Hub.Tunnels;

namespace EdgeVirt.Hub.Api;

/// <summary>
/// The answer to something that takes long: lines with the bytes so far, and a last one with how it ended. What fails at once, before a
/// line was sent, is an error with a status like any other.
/// </summary>
internal static class TransferAnswer
{
    public const string ContentType = WatchStream.ContentType;

    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(1);

    public static async Task<IResult> StreamAsync(HttpContext context, string node, Func<Action<long>, CancellationToken, Task<VolumeBackup>> transfer)
    {
        var time = context.RequestServices.GetRequiredService<TimeProvider>();
        var stopping = context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        var bytes = 0L;
        var running = transfer(sofar => Volatile.Write(ref bytes, sofar), ending.Token);
        try
        {
            while (await Task.WhenAny(running, Task.Delay(LineInterval, time, ending.Token)) != running && !ending.IsCancellationRequested)
            {
                await SendAsync(context, new VolumeTransfer { Bytes = Volatile.Read(ref bytes) }, ending.Token);
            }

            var backup = await running;
            await SendAsync(context, new VolumeTransfer { Bytes = Volatile.Read(ref bytes), IsDone = true, Backup = backup }, ending.Token);
            return new Streamed(StatusCodes.Status200OK);
        }
        catch (Exception failed) when (ErrorOf(failed, node, stopping.IsCancellationRequested) is { } answer)
        {
            if (!context.Response.HasStarted)
            {
                return ApiErrors.Error(answer.Status, answer.Error);
            }

            ChangeAudit.Note(context, answer.Error.Message);
            var (error, last) = (answer.Error, Volatile.Read(ref bytes));
            await SendAsync(context, new VolumeTransfer { Bytes = last, Code = error.Code, Message = error.Message, Hint = error.Hint }, context.RequestAborted);
            return new Streamed(answer.Status);
        }
        finally
        {
            await ending.CancelAsync();
            await ((Task)running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static (int Status, ApiError Error)? ErrorOf(Exception failed, string node, bool isStopping) => failed switch
    {
        VolumeTransferException { Reason: CloseReason.NotFound } => (StatusCodes.Status404NotFound, new ApiError { Code = "NotFound", Message = failed.Message }),
        VolumeTransferException { Reason: CloseReason.Invalid } => (StatusCodes.Status400BadRequest, new ApiError { Code = "Invalid", Message = failed.Message }),
        VolumeTransferException => (StatusCodes.Status503ServiceUnavailable, new ApiError { Code = "Unavailable", Message = failed.Message }),
        ConflictException full => (StatusCodes.Status409Conflict, new ApiError { Code = "Conflict", Message = full.Message, Hint = full.Hint }),
        NodeUnreachableException => (StatusCodes.Status503ServiceUnavailable, new ApiError
        {
            Code = "Unavailable", Message = failed.Message, Hint = $"edgevirt describe node {node} says when it was last heard of.",
        }),
        IOException => (StatusCodes.Status503ServiceUnavailable, new ApiError { Code = "Unavailable", Message = $"The hub's disk: {failed.Message}" }),
        OperationCanceledException when isStopping => (StatusCodes.Status503ServiceUnavailable, new ApiError
        {
            Code = "Unavailable", Message = "The hub is stopping; try again in a moment.",
        }),
        _ => null,
    };

    private static async Task SendAsync(HttpContext context, VolumeTransfer line, CancellationToken ct)
    {
        if (!context.Response.HasStarted)
        {
            context.Response.ContentType = ContentType;
        }

        await context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(line, ContractsJson.Default.VolumeTransfer), ct);
        await context.Response.Body.WriteAsync("\n"u8.ToArray(), ct);
        await context.Response.Body.FlushAsync(ct);
    }

    /// <summary>All was sent already; the status is what the audit log goes by.</summary>
    private sealed class Streamed(int status) : IResult, IStatusCodeHttpResult
    {
        public int? StatusCode => status;

        public Task ExecuteAsync(HttpContext httpContext) => Task.CompletedTask;
    }
}
