using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Hub.Resources;

namespace EdgeVirt.Hub.Api;

/// <summary>Makes an <see cref="ApiError"/> of everything that is no success; nothing of the inside shows.</summary>
internal sealed partial class ApiErrors(RequestDelegate next, ILogger<ApiErrors> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context);
            if (!context.Response.HasStarted && context.Response is { StatusCode: >= 400, ContentType: null } && !IsGrpc(context))
            {
                await WriteAsync(context, context.Response.StatusCode, Plain(context.Response.StatusCode, context));
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The caller has gone; nobody is there to be told.
        }
#pragma warning disable CA1031 // The edge of the process towards callers.
        catch (Exception e) when (!IsGrpc(context))
#pragma warning restore CA1031
        {
            var (status, error) = Of(e, context);
            if (status == StatusCodes.Status500InternalServerError)
            {
                LogUnexpected(e, context.Request.Method, context.Request.Path, context.TraceIdentifier);
            }

            if (context.Response.HasStarted)
            {
                context.Abort();
                return;
            }

            await WriteAsync(context, status, error);
        }
    }

    /// <summary>Answers with an error.</summary>
    public static Task WriteAsync(HttpContext context, int status, ApiError error)
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsJsonAsync(error, ContractsJson.Default.ApiError, cancellationToken: context.RequestAborted);
    }

    /// <summary>There is no such thing.</summary>
    public static IResult NotFound(string what, string? hint = null) =>
        Error(StatusCodes.Status404NotFound, new ApiError { Code = "NotFound", Message = $"{what} does not exist.", Hint = hint });

    /// <summary>The request cannot be.</summary>
    public static IResult Invalid(string message, string? hint = null, IReadOnlyList<FieldError>? errors = null) =>
        Error(StatusCodes.Status400BadRequest, new ApiError { Code = "Invalid", Message = message, Hint = hint, Errors = errors });

    public static IResult Error(int status, ApiError error) => TypedResults.Json(error, ContractsJson.Default.ApiError, statusCode: status);

    private static bool IsGrpc(HttpContext context) =>
        context.Request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true;

    private static (int Status, ApiError Error) Of(Exception e, HttpContext context) => e switch
    {
        InvalidResourceException invalid => (StatusCodes.Status400BadRequest, new ApiError
        {
            Code = "Invalid",
            Message = "Nothing was applied: the manifest cannot be.",
            Errors = invalid.Errors,
        }),
        ConflictException conflict => (StatusCodes.Status409Conflict, new ApiError { Code = "Conflict", Message = conflict.Message, Hint = conflict.Hint }),
        GoneException gone => (StatusCodes.Status410Gone, new ApiError { Code = "Gone", Message = gone.Message }),
        BadHttpRequestException bad => (bad.StatusCode, bad.StatusCode == StatusCodes.Status413PayloadTooLarge
            ? new ApiError { Code = "Invalid", Message = "The request is too large.", Hint = "Split the manifest; 8 MiB is the most." }
            : new ApiError { Code = "Invalid", Message = bad.Message }),
        JsonException json => (StatusCodes.Status400BadRequest, new ApiError { Code = "Invalid", Message = $"The body is not the JSON that is wanted: {json.Message}" }),
        _ => (StatusCodes.Status500InternalServerError, new ApiError
        {
            Code = "Internal",
            Message = "The hub failed at this.",
            Hint = $"Its log says why, under {context.TraceIdentifier}.",
        }),
    };

    private static ApiError Plain(int status, HttpContext context) => status switch
    {
        StatusCodes.Status404NotFound => new ApiError
        {
            Code = "NotFound",
            Message = $"There is no {context.Request.Path} here.",
            Hint = "GET /openapi/v1.json lists what there is.",
        },
        StatusCodes.Status405MethodNotAllowed => new ApiError
        {
            Code = "Invalid",
            Message = $"{context.Request.Method} cannot be done with {context.Request.Path}.",
            Hint = "GET /openapi/v1.json lists what there is.",
        },
        >= 500 => new ApiError { Code = status == 503 ? "Unavailable" : "Internal", Message = $"The hub answered {status}." },
        _ => new ApiError { Code = "Invalid", Message = $"The hub cannot take this request ({status})." },
    };

    [LoggerMessage(LogLevel.Error, "{Method} {Path} failed ({Trace})")]
    private partial void LogUnexpected(Exception e, string method, string path, string trace);
}
